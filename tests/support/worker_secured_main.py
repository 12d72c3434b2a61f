"""A worker with the fake tagger whose settings come as an operator's do: file, environment and `--set`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.core.errors import TrimodError
from stream.config.loading import load_settings
from stream.worker.main import run_worker
from tests.support.fake_tagger import FakeTagger

try:
    run_worker(load_settings(), FakeTagger)
except TrimodError as error:
    print(f"trimod: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
