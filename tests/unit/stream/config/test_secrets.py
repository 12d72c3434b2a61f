"""Link settings that cannot work stop the start and are named; secrets are shown by nobody and taken by no flag."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stream.config.example import example
from stream.config.kafka import Kafka
from stream.config.loading import load_settings, secret_names
from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.config.worker import Worker
from stream.errors import SettingsError
from stream.local.supervisor import environment, worker_children

HIDDEN = "hunter2hunter2hunter2"
LOGIN: dict[str, Any] = {"security_protocol": "SASL_SSL", "username": "ann", "password": HIDDEN}


def load(environ: dict[str, str], *overrides: str) -> Settings:
    return load_settings(None, overrides, {f"TRIMOD_{name}": value for name, value in environ.items()})


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"KAFKA__SECURITY_PROTOCOL": "SASL_SSL"}, "'kafka.username'"),
        ({"KAFKA__SECURITY_PROTOCOL": "SASL_SSL", "KAFKA__USERNAME": "a"}, "'kafka.password'"),
        ({"KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "'kafka.security_protocol'"),
        ({"KAFKA__PASSWORD": HIDDEN}, "'kafka.password': requires kafka.security_protocol"),
        ({"KAFKA__USERNAME": "a", "KAFKA__SECURITY_PROTOCOL": "SSL"}, "'kafka.username'"),
        ({"KAFKA__CA_FILE": "ca.pem"}, "'kafka.ca_file': requires"),
        ({"KAFKA__SECURITY_PROTOCOL": "SSL", "KAFKA__KEY_FILE": "k"}, "'kafka.key_file'"),
        ({"KAFKA__SECURITY_PROTOCOL": "SSL", "KAFKA__KEY_PASSWORD": HIDDEN}, "'kafka.key_password'"),
        ({"REDIS__CA_FILE": "ca.pem"}, "'redis.ca_file': requires a redis.url that begins with"),
        ({"REDIS__USERNAME": "a"}, "'redis.password'"),
        ({"REDIS__PASSWORD": HIDDEN, "REDIS__PASSWORD_FILE": "p"}, "'redis.password_file': redis.password is"),
        ({"REDIS__URL": f"redis://:{HIDDEN}@h/0", "REDIS__PASSWORD": HIDDEN}, "'redis.password': redis.url contains"),
        ({"REDIS__URL": f"redis://u:{HIDDEN}#x@h/0"}, "'redis.url'"),
        ({"REDIS__URL": f"redis://u:{HIDDEN}?x@h/0"}, "'redis.url'"),
        ({"REDIS__URL": f"redis://h:{HIDDEN}/0"}, "'redis.url'"),
        ({"REDIS__URL": "rediss://h/0?ssl_cert_reqs=none"}, "'redis.url'"),
        ({"REDIS__URL": "http://h/0"}, "'redis.url'"),
        ({"REDIS__URL": f"redis+sentinel://:{HIDDEN}@h:26379/mymaster/0"}, "Sentinel URLs are not supported"),
        ({"REDIS__URL": "rediss+sentinel://h:26379,i:26379/mymaster"}, "Sentinel URLs are not supported"),
        ({"REDIS__URL": "redis-sentinel://h:26379"}, "Sentinel URLs are not supported"),
        ({"REDIS__URL": "sentinel://h:26379/mymaster"}, "Sentinel URLs are not supported"),
        ({"REDIS__URL": f"redis+cluster://u:{HIDDEN}@h:7000"}, "cluster URLs are not supported"),
        ({"REDIS__URL": f"redis://u:{HIDDEN}@h:7000,i:7000"}, "expected one address, got several"),
        ({"REDIS__URL": "unix:///run/redis.sock"}, "Unix sockets are not supported"),
        ({"REDIS__URL": "valkey://h/0"}, "for Valkey, write redis:// or rediss://"),
        ({"WORKER__METRICS_HOST": "0.0.0.0"}, "'worker.metrics_host': 0.0.0.0 is not loopback"),
        ({"WORKER__METRICS_HOST": "::"}, "'worker.metrics_host'"),
        ({"WORKER__METRICS_HOST": ""}, "'worker.metrics_host': every address is not loopback"),
        ({"WORKER__METRICS_HOST": "gpu1"}, "'worker.metrics_host'"),
        ({"WORKER__METRICS_TOKEN": "hunter2"}, "'worker.metrics_token': expected at least 16"),
        ({"WORKER__METRICS_TOKEN": f"{HIDDEN} {HIDDEN}"}, "'worker.metrics_token'"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_named_without_its_secret(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    message = str(caught.value)
    assert named in message
    assert "hunter2" not in message
    assert "\n" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert host == load({"WORKER__METRICS_HOST": host}).worker.metrics_host


def test_elsewhere_a_token_is_enough() -> None:
    worker = Worker(metrics_host="0.0.0.0", metrics_token=HIDDEN)
    assert ("0.0.0.0", HIDDEN) == (worker.metrics_host, worker.metrics_token.get_secret_value())


def test_a_secret_of_the_wrong_type_is_not_repeated(tmp_path: Path) -> None:
    """A forgotten pair of quotation marks in the file."""
    file = tmp_path / "trimod.toml"
    file.write_text("[kafka]\npassword = 20260815\n")
    with pytest.raises(SettingsError, match=r"'kafka\.password'") as caught:
        load_settings(file, [], {})
    assert "20260815" not in str(caught.value)


def test_every_secret_is_refused_as_a_flag_which_the_list_of_processes_shows() -> None:
    assert {
        "kafka.password", "kafka.key_password", "redis.password", "redis.key_password", "worker.metrics_token",
    } <= secret_names()  # fmt: skip
    for name in secret_names():
        with pytest.raises(SettingsError) as caught:
            load({}, f"{name}={HIDDEN}")
        section, key = name.upper().split(".")
        assert f"TRIMOD_{section}__{key}" in str(caught.value)
        assert f"{name}_file" in str(caught.value)
        assert HIDDEN not in str(caught.value)
    for flag in (
        f"redis.url=redis://:{HIDDEN}@h/0",
        f"kafka.password:={HIDDEN}",
        f" kafka.password ={HIDDEN}",
        f"password={HIDDEN}",
        f"kafka.password:{HIDDEN}",
    ):
        with pytest.raises(SettingsError) as caught:
            load({}, flag)
        assert HIDDEN not in str(caught.value)


def test_a_login_in_the_redis_url_becomes_user_and_password() -> None:
    """So the URL can be logged, and goes to `export ...` hints and errors as it is."""
    redis = load({"REDIS__URL": "rediss://me:a%40b%2Fc@h:1/2"}).redis
    password = redis.password.get_secret_value()
    assert ("rediss://h:1/2", "me", "a@b/c") == (redis.url, redis.username, password)


def test_no_dump_shows_a_secret() -> None:
    settings = Settings(
        kafka=Kafka(**LOGIN),
        redis=Redis(url=f"redis://:{HIDDEN}@h/0"),
        worker=Worker(metrics_token=HIDDEN),
    )
    shown = [str(settings), repr(settings), str(settings.model_dump()), settings.model_dump_json()]
    assert [] == [text for text in shown if "hunter2" in text]


@pytest.mark.parametrize("password", [" leading", "ä\"'\\$%#@:/?&,=;{}", "*" * 10, "null", "1"])
def test_workers_of_trimod_up_get_secrets_by_environment_and_not_by_argument(password: str) -> None:
    """`trimod up` and whatever starts workers by stream/local/supervisor.py: all settings arrive, unchanged."""

    def with_secrets(password: str, token: str) -> Settings:
        return Settings(
            kafka=Kafka(**LOGIN | {"password": password}),
            redis=Redis(url="rediss://h:1/0", username="u", password=password, ca_file=Path("ca.pem")),
            worker=Worker(metrics_host="0.0.0.0", metrics_token=token),
        )

    settings = with_secrets(password, HIDDEN)
    assert settings == load_settings(None, [], environment(settings))
    (child,) = worker_children(settings, 1)
    (other,) = worker_children(with_secrets("another", HIDDEN[::-1]), 1)
    assert other.command == child.command
    assert password == child.environ["TRIMOD_KAFKA__PASSWORD"]


def test_the_example_file_holds_no_secret() -> None:
    values = tomllib.loads(example())
    assert {""} == {json.loads(json.dumps(values[s][k])) for s, k in (n.split(".") for n in secret_names())}
