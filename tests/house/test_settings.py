"""Settings: a newcomer needs none, and whoever sets some hears of every mistake at once."""

import base64
import re
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest

from marketplace import settings
from marketplace.settings import Settings, SettingsError, keep_secret, load

PRODUCTION = {
    "MARKETPLACE_ENVIRONMENT": "production",
    "MARKETPLACE_BASE_URL": "https://work.example",
    "MARKETPLACE_SECRET_KEY": "k" * 48,
    "MARKETPLACE_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
    "MARKETPLACE_DATABASE_URL": "postgresql://marketplace_owner:o@db.example/marketplace",
    "MARKETPLACE_APP_DATABASE_URL": "postgresql://marketplace_app:a@db.example/marketplace",
    "MARKETPLACE_STRIPE_KEY": "sk_live_1",
    "MARKETPLACE_STRIPE_PLATFORM_SECRET": "whsec_1",
    "MARKETPLACE_STRIPE_CONNECT_SECRET": "whsec_2",
    "MARKETPLACE_STRIPE_THIN_SECRET": "whsec_3",
    "MARKETPLACE_SMTP_URL": "smtps://post:secret@mail.example",
    "MARKETPLACE_MAIL_FROM": "hello@work.example",
}


def read(folder: Path, environ: Mapping[str, str] | None = None) -> Settings:
    return load({"MARKETPLACE_DATA": str(folder), **(environ or {})})


def problems(folder: Path, environ: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        read(folder, environ)
    return "\n".join(refused.value.problems)


def test_who_is_registered_for_tax_has_a_number(tmp_path: Path) -> None:
    """Without it a reverse charge would name nobody who owes no tax."""
    assert "VAT_ID, our number there" in problems(tmp_path, {"MARKETPLACE_TAX_COUNTRY": "DE"})
    registered = {"MARKETPLACE_TAX_COUNTRY": "DE", "MARKETPLACE_VAT_ID": "DE136695976"}
    assert read(tmp_path, registered).tax_country == "DE"


def test_a_newcomer_needs_none(tmp_path: Path) -> None:
    found = read(tmp_path / "new")
    assert found.environment == "development"
    assert found.database_url is None
    assert found.fee_bps == 2000
    assert len(found.master_key) == 32


def test_keys_are_made_once_and_only_for_us(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path)
    assert (first.secret_key, first.master_key) == (second.secret_key, second.master_key)
    for name in ("secret_key", "master_key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_many_processes_at_once_agree_on_a_key(tmp_path: Path) -> None:
    made = iter(range(100))
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: keep_secret(tmp_path / "key", lambda: str(next(made))), range(40)))
    assert len(set(kept)) == 1


def test_every_problem_is_listed(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        {
            "MARKETPLACE_WORKERS": "many",
            "MARKETPLACE_BOOKS_ZONE": "Mars/Olympus",
            "MARKETPLACE_BASE_URL": "work.example",
            "MARKETPLACE_STRIPE_KEY": "pk_test_public",
            "MARKETPLACE_MASTER_KEY": "short",
            "MARKETPLACE_MAIL_FROM": "nobody",
        },
    )
    for name in ("WORKERS", "BOOKS_ZONE", "BASE_URL", "STRIPE_KEY", "MASTER_KEY", "MAIL_FROM"):
        assert f"MARKETPLACE_{name}" in said


def test_a_mistyped_name_is_not_passed_over(tmp_path: Path) -> None:
    said = problems(tmp_path, {"MARKETPLACE_BASEURL": "http://localhost:9000"})
    assert "Did you mean MARKETPLACE_BASE_URL?" in said


def test_a_problem_never_repeats_a_secret(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        {
            "MARKETPLACE_DATABASE_URL": "mysql://user:hunter2@host/db",
            "MARKETPLACE_STRIPE_KEY": "hunter2",
            "MARKETPLACE_STRIPE_THIN_SECRET": "hunter2",
        },
    )
    assert said.count("MARKETPLACE_") == 3
    assert "hunter2" not in said


def test_repr_shows_no_secret(tmp_path: Path) -> None:
    shown = repr(read(tmp_path, PRODUCTION))
    for name, value in PRODUCTION.items():
        if "URL" in name or "KEY" in name or "SECRET" in name:
            assert value not in shown or name == "MARKETPLACE_BASE_URL"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "stripe").write_text("sk_test_filed\n")
    assert (
        read(tmp_path, {"MARKETPLACE_STRIPE_KEY_FILE": str(tmp_path / "stripe")}).stripe_key
        == "sk_test_filed"
    )
    assert "cannot be read" in problems(tmp_path, {"MARKETPLACE_STRIPE_KEY_FILE": str(tmp_path / "none")})


def test_webhook_secrets_overlap_while_they_are_changed(tmp_path: Path) -> None:
    found = read(tmp_path, {"MARKETPLACE_STRIPE_CONNECT_SECRET": "whsec_new, whsec_old"})
    assert found.stripe_connect_secret == ("whsec_new", "whsec_old")


def test_every_setting_is_used() -> None:
    code = [path for path in Path(settings.__file__).parent.rglob("*.py") if path.name != "settings.py"]
    said = "\n".join(path.read_text(encoding="utf-8") for path in code)
    unused = [each.name for each in fields(Settings) if not re.search(rf"\.{each.name}\b", said)]
    assert unused == []


def test_production_as_it_should_be(tmp_path: Path) -> None:
    assert read(tmp_path, PRODUCTION).production


def test_production_must_be_told_everything(tmp_path: Path) -> None:
    said = problems(tmp_path, {"MARKETPLACE_ENVIRONMENT": "production"})
    for name in PRODUCTION.keys() - {"MARKETPLACE_ENVIRONMENT"}:
        assert name in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "http://work.example"),
        ("BASE_URL", "https://localhost"),
        ("STRIPE_API_BASE", "http://127.0.0.1:8001"),
        ("CLOCK_FILE", "/srv/clock.json"),
        ("APP_DATABASE_URL", PRODUCTION["MARKETPLACE_DATABASE_URL"]),
        ("MAIL_FROM", "root@localhost"),
    ],
)
def test_production_refuses_what_is_unsafe(tmp_path: Path, name: str, value: str) -> None:
    assert f"MARKETPLACE_{name}" in problems(tmp_path, {**PRODUCTION, f"MARKETPLACE_{name}": value})


def test_a_live_key_is_for_production_only(tmp_path: Path) -> None:
    assert "live key" in problems(tmp_path, {"MARKETPLACE_STRIPE_KEY": "sk_live_1"})


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file" in problems(tmp_path / "file", {})
    assert "is a file" in problems(tmp_path / "file" / "below", {})
