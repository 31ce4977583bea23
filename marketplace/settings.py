"""Settings: read once from the environment, typed, and refused all at once when wrong.

Every name has the prefix ``MARKETPLACE_``. A newcomer needs none: what is not set is derived from the data
folder. Secrets may also be given as ``MARKETPLACE_<NAME>_FILE``, the path of a file that holds the value.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from stdnum import iban

PREFIX = "MARKETPLACE_"
ENVIRONMENTS = ("development", "demo", "production", "test")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TAX_MODES = ("external", "forms")
US_FORMS = ("external", "nec", "k")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SECRET_NAMES = (
    "SECRET_KEY",
    "MASTER_KEY",
    "DATABASE_URL",
    "APP_DATABASE_URL",
    "STRIPE_KEY",
    "STRIPE_PLATFORM_SECRET",
    "STRIPE_CONNECT_SECRET",
    "STRIPE_THIN_SECRET",
    "SMTP_URL",
)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

T = TypeVar("T")


class SettingsError(Exception):
    """The settings cannot be used. ``problems`` holds one sentence for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class ClientBank:
    """The operator's account for clients' money, as clients write it on a wire."""

    holder: str
    bank: str
    number: str
    """IBAN or account number, without spaces, as the bank's statements name it."""
    code: str
    """BIC or routing number."""


@dataclass(frozen=True)
class Settings:
    """Everything a process of the marketplace needs to know about where it runs.

    Secrets are left out of ``repr``, so that a log line or a traceback never shows them.
    """

    environment: str
    data: Path
    base_url: str
    operator_name: str
    legal_name: str
    """The operator on invoices, with its address in lines and its tax number, if there is one."""
    legal_address: str
    tax_number: str
    tax_reason: str
    """Why an invoice bears no tax."""
    tax_country: str
    """Where the operator is registered for tax on its fees (ISO 3166, two letters); empty for nowhere. The
    region is that of a country that taxes by region, and the VAT number is the operator's there."""
    tax_region: str
    vat_id: str
    secret_key: str = field(repr=False)
    master_key: bytes = field(repr=False)
    """32 bytes that encrypt personal fields and documents."""

    database_url: str | None = field(repr=False)
    """The owner's address, which migrates; None means the private PostgreSQL."""
    app_database_url: str | None = field(repr=False)

    stripe_api_base: str | None
    """None means Stripe itself."""
    stripe_key: str | None = field(repr=False)
    stripe_platform_secret: tuple[str, ...] = field(repr=False)
    """Webhook secrets: one, or the new and the old while they are being changed."""
    stripe_connect_secret: tuple[str, ...] = field(repr=False)
    stripe_thin_secret: tuple[str, ...] = field(repr=False)

    smtp_url: str | None = field(repr=False)
    """None means the local outbox."""
    smtp_tls: str
    """`required`, or `off` for a server that is reached without it over a network that is trusted."""
    mail_from: str
    clock_file: Path | None
    books_zone: ZoneInfo
    books_currency: str
    fee_bps: int
    """The client's fee in basis points of the expert's pay: 2000 is 20 %."""

    payout_countries: frozenset[str]
    """Countries to which Stripe pays for this operator beyond those that it pays for all."""
    pay_weekday: int
    """The weekday of the pay run, Monday being 0."""
    payout_minimum: int
    """The smallest payment to an expert, in minor units."""

    payout_limit: int
    """What one person of finance may release of a batch, in minor units of the books; above it, two."""

    refund_limit: int
    """What one person of finance may release of one project's refunds, in minor units; above it, two."""

    tax_mode: str
    """`external`: experts' tax forms are kept elsewhere, none is asked for; `forms`: they are kept here."""
    us_form: str
    """On which form their pay is reported in the US: `nec` (1099-NEC), `k` (1099-K), or `external`."""

    client_bank: ClientBank | None
    """The account for clients' money; None offers clients no wire."""

    session_idle_hours: int
    session_absolute_hours: int
    trusted_proxies: int
    workers: int
    threads: int
    log_level: str

    @property
    def production(self) -> bool:
        return self.environment == "production"


class _Reader:
    """Reads one value after another and remembers every problem instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._asked: set[str] = set()
        self.problems: list[str] = []
        self.production = environ.get(PREFIX + "ENVIRONMENT", "").strip() == "production"

    def refuse(self, sentence: str) -> None:
        self.problems.append(sentence)

    def text(self, name: str) -> str | None:
        self._asked.add(PREFIX + name)
        value = self._environ.get(PREFIX + name, "").strip()
        if name in SECRET_NAMES:
            return self._from_file(name, value)
        return value or None

    def parsed(self, name: str, default: str, parse: Callable[[str], T], expected: str) -> T:
        value = self.text(name) or default
        try:
            return parse(value)
        except ValueError:
            self.refuse(f"{PREFIX}{name} is '{value}', but it must be {expected}.")
            return parse(default)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        def parse(value: str) -> int:
            if not low <= int(value) <= high:
                raise ValueError(value)
            return int(value)

        return self.parsed(name, str(default), parse, f"a whole number from {low} to {high}")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def parse(value: str) -> str:
            return choices[choices.index(value)]

        return self.parsed(name, default, parse, "one of " + ", ".join(choices))

    def url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        """An address; the value itself is never repeated, because it may hold a password."""
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            fine = parts.scheme in schemes and bool(parts.hostname or parts.query)
            _ = parts.port
        except ValueError:
            fine = False
        if not fine:
            self.refuse(f"{PREFIX}{name} must be an address that starts with {' or '.join(schemes)}://.")
            return None
        return value.rstrip("/")

    def webhook_secrets(self, name: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())
        if any(not secret.startswith("whsec_") for secret in found):
            self.refuse(f"{PREFIX}{name} must be Stripe's signing secrets, whsec_…, separated by commas.")
        return found

    def refuse_unknown(self) -> None:
        known = self._asked | {f"{PREFIX}{name}_FILE" for name in SECRET_NAMES}
        for name in sorted(set(self._environ) - known):
            if name.startswith(PREFIX):
                near = get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                self.refuse(f"{name} is not a setting of the marketplace.{hint}")

    def _from_file(self, name: str, value: str) -> str | None:
        path = self._environ.get(f"{PREFIX}{name}_FILE", "").strip()
        if not path:
            return value or None
        if value:
            self.refuse(f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set; keep one of them.")
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            self.refuse(f"{PREFIX}{name}_FILE names {path}, which cannot be read.")
            return None


def load(environ: Mapping[str, str]) -> Settings:
    """The settings in ``environ``; makes the data folder and its keys when they are missing.

    Raises SettingsError with every problem, not only the first.
    """
    reader = _Reader(environ)
    environment = reader.choice("ENVIRONMENT", "development", ENVIRONMENTS)
    data = _data_folder(reader)
    settings = Settings(
        environment=environment,
        data=data,
        base_url=_base_url(reader),
        operator_name=reader.text("OPERATOR_NAME") or "Marginalia",
        legal_name=reader.text("LEGAL_NAME") or reader.text("OPERATOR_NAME") or "Marginalia",
        legal_address="\n".join(part.strip() for part in (reader.text("LEGAL_ADDRESS") or "").split("|")),
        tax_number=reader.text("TAX_NUMBER") or "",
        tax_reason=reader.text("TAX_REASON") or "No tax is charged on this invoice.",
        tax_country=reader.parsed("TAX_COUNTRY", "", _country, "a country's two letters, such as DE"),
        tax_region=(reader.text("TAX_REGION") or "").upper(),
        vat_id=reader.text("VAT_ID") or "",
        secret_key=_secret_key(reader, data),
        master_key=_master_key(reader, data),
        database_url=reader.url("DATABASE_URL", ("postgresql+psycopg", "postgresql")),
        app_database_url=reader.url("APP_DATABASE_URL", ("postgresql+psycopg", "postgresql")),
        stripe_api_base=reader.url("STRIPE_API_BASE", ("http", "https")),
        stripe_key=_stripe_key(reader),
        stripe_platform_secret=reader.webhook_secrets("STRIPE_PLATFORM_SECRET"),
        stripe_connect_secret=reader.webhook_secrets("STRIPE_CONNECT_SECRET"),
        stripe_thin_secret=reader.webhook_secrets("STRIPE_THIN_SECRET"),
        smtp_url=reader.url("SMTP_URL", ("smtp", "smtps")),
        smtp_tls=reader.choice("SMTP_TLS", "required", ("required", "off")),
        mail_from=reader.parsed("MAIL_FROM", "marketplace@localhost", _mail_address, "an e-mail address"),
        clock_file=_optional_path(reader.text("CLOCK_FILE")),
        books_zone=reader.parsed("BOOKS_ZONE", "America/New_York", _zone, "an IANA time zone"),
        books_currency=reader.choice("BOOKS_CURRENCY", "USD", ("USD",)),
        fee_bps=reader.integer("FEE_BPS", 2000, 0, 10_000),
        payout_countries=reader.parsed(
            "PAYOUT_COUNTRIES", "", _countries, "country codes such as AU, separated by commas"
        ),
        pay_weekday=WEEKDAYS.index(reader.choice("PAY_WEEKDAY", "friday", WEEKDAYS)),
        payout_minimum=reader.integer("PAYOUT_MINIMUM", 100, 1, 10**9),
        payout_limit=reader.integer("PAYOUT_LIMIT", 5_000_000, 0, 10**12),
        refund_limit=reader.integer("REFUND_LIMIT", 1_000_000, 0, 10**12),
        tax_mode=reader.choice("TAX_MODE", "external", TAX_MODES),
        us_form=reader.choice("US_FORM", "external", US_FORMS),
        client_bank=_client_bank(reader),
        session_idle_hours=reader.integer("SESSION_IDLE_HOURS", 12, 1, 24 * 7),
        session_absolute_hours=reader.integer("SESSION_ABSOLUTE_HOURS", 24 * 7, 1, 24 * 90),
        trusted_proxies=reader.integer("TRUSTED_PROXIES", 0, 0, 10),
        workers=reader.integer("WORKERS", 2, 1, 64),
        threads=reader.integer("THREADS", 4, 1, 64),
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
    )
    _refuse_contradictions(reader, settings)
    if settings.production:
        _refuse_unsafe_production(reader, settings)
    reader.refuse_unknown()
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def keep_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret kept in ``path``, made once with mode 0600 by whichever process comes first.

    Raises OSError when the file can be neither read nor written.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(make() + "\n")
        try:
            # A link, unlike a rename, fails when another process was first, and never shows half a file.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def _data_folder(reader: _Reader) -> Path:
    default = Path(__file__).resolve().parent.parent / "var"
    data = Path(reader.text("DATA") or default).expanduser().absolute()
    try:
        # The private PostgreSQL gives up root's rights and must still be able to walk through.
        data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        reader.refuse(f"The data folder {data} is a file. Set {PREFIX}DATA to a folder.")
    except OSError as error:
        reader.refuse(
            f"The data folder {data} cannot be made: {error.strerror}. Set {PREFIX}DATA to another."
        )
    else:
        if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
            reader.refuse(
                f"The data folder {data} cannot be written by this user. Set {PREFIX}DATA to another."
            )
    return data


def _kept(reader: _Reader, name: str, path: Path, make: Callable[[], str]) -> str:
    """The value of a key: what is set, else what the data folder keeps; production must set it."""
    value = reader.text(name)
    if value is not None:
        return value
    if reader.production:
        reader.refuse(f"{PREFIX}{name} must be set in production (or {PREFIX}{name}_FILE).")
        return make()
    try:
        return keep_secret(path, make)
    except (OSError, UnicodeDecodeError):
        if not reader.problems:
            reader.refuse(f"The key file {path} cannot be read or made. Check who owns its folder.")
        return make()


def _secret_key(reader: _Reader, data: Path) -> str:
    key = _kept(reader, "SECRET_KEY", data / "secret_key", lambda: secrets.token_urlsafe(48))
    if len(key) < 32:
        reader.refuse(f"{PREFIX}SECRET_KEY must have at least 32 characters.")
    return key


def _master_key(reader: _Reader, data: Path) -> bytes:
    text = _kept(reader, "MASTER_KEY", data / "master_key", _new_master_key)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        reader.refuse(f"{PREFIX}MASTER_KEY must be 32 random bytes in base64 (openssl rand -base64 32).")
    return key


def _new_master_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def _base_url(reader: _Reader) -> str:
    # "localhost" and not 127.0.0.1, because a passkey belongs to a name and never to a number.
    url = reader.url("BASE_URL", ("http", "https")) or "http://localhost:8000"
    parts = urlsplit(url)
    if parts.path or parts.query or parts.fragment:
        reader.refuse(f"{PREFIX}BASE_URL must end after the host and the port.")
    return url


def _stripe_key(reader: _Reader) -> str | None:
    key = reader.text("STRIPE_KEY")
    if key is not None and not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
        reader.refuse(f"{PREFIX}STRIPE_KEY must be a secret or restricted key of Stripe (sk_… or rk_…).")
    return key


def _client_bank(reader: _Reader) -> ClientBank | None:
    value = reader.text("CLIENT_BANK")
    if value is None:
        return None
    parts = [part.strip() for part in value.split("|")]
    if len(parts) != 4 or not all(parts):
        reader.refuse(
            f"{PREFIX}CLIENT_BANK must be holder|bank|account number or IBAN|BIC or routing number."
        )
        return None
    holder, bank, number, code = parts
    number = number.replace(" ", "")
    if number[:2].isalpha() and not iban.is_valid(number):
        reader.refuse(f"{PREFIX}CLIENT_BANK names an IBAN whose check digits are wrong.")
    return ClientBank(holder, bank, number, code)


def _optional_path(value: str | None) -> Path | None:
    return Path(value).expanduser().absolute() if value else None


def _mail_address(value: str) -> str:
    name, at, host = value.rpartition("@")
    if not (name and at and host) or any(character.isspace() for character in value):
        raise ValueError(value)
    return value


def _countries(value: str) -> frozenset[str]:
    found = frozenset(part.strip().upper() for part in value.split(",") if part.strip())
    if any(len(code) != 2 or not code.isascii() or not code.isalpha() for code in found):
        raise ValueError(value)
    return found


def _country(value: str) -> str:
    if not value:
        return ""
    (code,) = _countries(value)
    return code


def _zone(value: str) -> ZoneInfo:
    if value not in available_timezones():
        raise ValueError(value)
    return ZoneInfo(value)


def _refuse_contradictions(reader: _Reader, settings: Settings) -> None:
    if settings.app_database_url and not settings.database_url:
        reader.refuse(f"{PREFIX}APP_DATABASE_URL is set, but {PREFIX}DATABASE_URL, the owner's, is not.")
    if settings.session_idle_hours > settings.session_absolute_hours:
        reader.refuse(f"{PREFIX}SESSION_IDLE_HOURS must not be more than {PREFIX}SESSION_ABSOLUTE_HOURS.")
    if settings.tax_country == "" and (settings.vat_id or settings.tax_region):
        reader.refuse(f"{PREFIX}VAT_ID or {PREFIX}TAX_REGION is set, but {PREFIX}TAX_COUNTRY is not.")
    if settings.tax_country and not settings.vat_id:
        reader.refuse(f"{PREFIX}TAX_COUNTRY is set, but {PREFIX}VAT_ID, our number there, is not.")
    if settings.us_form != "external" and settings.tax_mode != "forms":
        reader.refuse(f"{PREFIX}US_FORM is set, but without {PREFIX}TAX_MODE=forms no tax form is kept here.")
    if not settings.production and "_live_" in (settings.stripe_key or ""):
        reader.refuse(f"{PREFIX}STRIPE_KEY is a live key, which only {PREFIX}ENVIRONMENT=production may use.")


def _refuse_unsafe_production(reader: _Reader, settings: Settings) -> None:
    required = {
        "DATABASE_URL": settings.database_url,
        "APP_DATABASE_URL": settings.app_database_url,
        "STRIPE_KEY": settings.stripe_key,
        "STRIPE_PLATFORM_SECRET": settings.stripe_platform_secret,
        "STRIPE_CONNECT_SECRET": settings.stripe_connect_secret,
        "STRIPE_THIN_SECRET": settings.stripe_thin_secret,
        "SMTP_URL": settings.smtp_url,
    }
    for name, value in required.items():
        if not value:
            reader.refuse(f"{PREFIX}{name} must be set in production.")
    base = urlsplit(settings.base_url)
    if base.scheme != "https" or base.hostname in LOCAL_HOSTS:
        reader.refuse(f"{PREFIX}BASE_URL must be the public https:// address in production.")
    if settings.stripe_api_base:
        reader.refuse(f"{PREFIX}STRIPE_API_BASE must not be set in production: money moves at Stripe only.")
    if settings.clock_file:
        reader.refuse(f"{PREFIX}CLOCK_FILE must not be set in production: its clock is the real one.")
    if settings.mail_from.endswith("@localhost"):
        reader.refuse(f"{PREFIX}MAIL_FROM must be an address of your own in production.")
    if settings.database_url and settings.database_url == settings.app_database_url:
        reader.refuse(f"{PREFIX}APP_DATABASE_URL must name the application's role, not the owner's.")


@cache
def current() -> Settings:
    """The settings of this process, read from its environment once."""
    return load(os.environ)
