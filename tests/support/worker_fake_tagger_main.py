"""A worker process for tests: `python worker_with_fake_tagger.py SETTINGS_JSON DELAY [TYPES]`, with the fake tagger.

TYPES are the entity types that it says it emits, with commas between."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.core.errors import TrimodError
from models.core.post import TYPES
from stream.config.settings import Settings
from stream.worker.main import run_worker
from tests.support.fake_tagger import FakeTagger

delay, types = float(sys.argv[2]), sys.argv[3].split(",") if sys.argv[3:] else TYPES


try:
    run_worker(Settings.model_validate_json(sys.argv[1]), lambda: FakeTagger(delay, types))
except TrimodError as error:
    print(f"trimod: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
