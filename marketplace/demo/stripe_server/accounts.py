"""Connected accounts, as v2 shows them: what they may do, and what Stripe still needs to know."""

from __future__ import annotations

from marketplace.demo.stripe_server import events, moments, schedule
from marketplace.demo.stripe_server.errors import Json, invalid, missing, refused
from marketplace.demo.stripe_server.funds import SOURCE_TYPES, available, pending
from marketplace.demo.stripe_server.lists import Condition, page_v2
from marketplace.demo.stripe_server.operations import Call
from marketplace.demo.stripe_server.params import Choice, Flag, Kind, Many, Metadata, Shape, Text, Whole
from marketplace.demo.stripe_server.store import PLATFORM, Transaction

KIND = "v2.core.account"
TRANSFERS = "stripe_balance.stripe_transfers"
INCLUDABLE = (
    "configuration.customer",
    "configuration.merchant",
    "configuration.recipient",
    "defaults",
    "future_requirements",
    "identity",
    "requirements",
)
CHECKING_TAKES = 2  # seconds from the last answer of an onboarding until transfers are active

_INCLUDE = Many(Choice(*INCLUDABLE))
_RECIPIENT = Shape(
    capabilities=Shape(stripe_balance=Shape(stripe_transfers=Shape(requested=Flag(required=True))))
)
_RESPONSIBILITIES = Shape(
    fees_collector=Choice(
        "application", "application_custom", "application_express", "stripe", required=True
    ),
    losses_collector=Choice("application", "stripe", required=True),
)
_FIELDS: dict[str, Kind] = {
    "contact_email": Text(),
    "contact_phone": Text(),
    "dashboard": Choice("express", "full", "none"),
    "display_name": Text(),
    "identity": Shape(
        country=Text(2),
        entity_type=Choice("company", "government_entity", "individual", "non_profit"),
        individual=Shape(given_name=Text(), surname=Text(), email=Text(), phone=Text()),
    ),
    "configuration": Shape(recipient=_RECIPIENT),
    "defaults": Shape(currency=Text(3), locales=Many(Text()), responsibilities=_RESPONSIBILITIES),
    "metadata": Metadata(),
    "include": _INCLUDE,
}
CREATE = Shape(_FIELDS)
UPDATE = Shape(_FIELDS)
RETRIEVE = Shape(include=_INCLUDE)
CLOSE = Shape(applied_configurations=Many(Choice("customer", "merchant", "recipient")))
LIST = Shape(
    applied_configurations=Many(Choice("customer", "merchant", "recipient")),
    closed=Flag(),
    limit=Whole(1, 100),
    page=Text(),
)
_NEEDED = {
    "identity.individual.given_name": "given_name",
    "identity.individual.surname": "surname",
    "configuration.recipient.default_outbound_destination": "bank_account",
    "identity.attestations.terms_of_service.account": "terms",
}


def create(call: Call) -> Json:
    """POST /v2/core/accounts."""
    asked = call.params
    _check_responsibilities(asked)
    account: Json = {
        "id": moments.new_id("acct"),
        "object": KIND,
        "applied_configurations": ["recipient"] if "recipient" in asked.get("configuration", {}) else [],
        "closed": False,
        "configuration": {"recipient": {"applied": True, "capabilities": {}}},
        "created": moments.iso(call.now),
        "defaults": asked.get("defaults"),
        "future_requirements": {"entries": [], "summary": {}},
        "identity": {},
        "livemode": False,
        "metadata": {},
        "requirements": {"entries": [], "summary": {}},
    }
    _write(account, asked)
    call.transaction.add(account, PLATFORM, KIND, call.now)
    assess(call.transaction, account)
    events.tell_thin(call.transaction, "v2.core.account.created", account["id"])
    return included(account, asked.get("include", []))


def retrieve(call: Call) -> Json:
    """GET /v2/core/accounts/{id}. What `include` does not ask for is null."""
    return included(find(call.transaction, call.args["id"]), call.params.get("include", []))


def update(call: Call) -> Json:
    """POST /v2/core/accounts/{id}."""
    account = find(call.transaction, call.args["id"])
    if account["closed"]:
        raise refused("This account is closed and cannot be changed.", "account_closed")
    _check_responsibilities(call.params)
    _write(account, call.params)
    assess(call.transaction, account)
    events.tell_thin(call.transaction, "v2.core.account.updated", account["id"])
    return included(account, call.params.get("include", []))


def replayed(call: Call, body: Json) -> Json:
    """What a repeated creation answers: the account as it is by now."""
    return included(find(call.transaction, body["id"]), call.params.get("include", []))


def list_accounts(call: Call) -> Json:
    """GET /v2/core/accounts; closed ones only on demand."""
    where: list[Condition] = [("json_extract(body, '$.closed') = ?", int(call.params.get("closed", False)))]
    applied = "? IN (SELECT value FROM json_each(body, '$.applied_configurations'))"
    where += [(applied, name) for name in call.params.get("applied_configurations", [])]
    found = page_v2(call, KIND, "/v2/core/accounts", where)
    return {**found, "data": [included(account, []) for account in found["data"]]}


def close(call: Call) -> Json:
    """POST /v2/core/accounts/{id}/close; refused while money is there."""
    account = find(call.transaction, call.args["id"])
    if _holds_money(call.transaction, account["id"]):
        raise refused("An account can be closed only once its balance is zero.", "account_balance_not_zero")
    account["closed"] = True
    account["applied_configurations"] = []
    _transfers(account).update(_status("unsupported", "restricted_other", "no_resolution"))
    call.transaction.save(account)
    events.tell_thin(call.transaction, "v2.core.account.closed", account["id"])
    return included(account, [])


def find(transaction: Transaction, id: str, param: str | None = None) -> Json:
    """The account. Refuses with `resource_missing` when there is none."""
    found = transaction.find(id, KIND)
    if found is None:
        raise missing("account", id, param)
    return found


def included(account: Json, include: list[str]) -> Json:
    """The account with only the asked parts; the others are null, as v2 answers them."""
    configurations = {
        name: account["configuration"].get(name)
        for name in ("customer", "merchant", "recipient")
        if f"configuration.{name}" in include
    }
    parts: Json = {name: account[name] if name in include else None
                   for name in INCLUDABLE if "." not in name}  # fmt: skip
    return {**account, **parts, "configuration": configurations or None}


def identify(account: Json, given_name: str, surname: str, country: str) -> None:
    """Write down who the person is, and that they agreed to the terms now."""
    identity = account["identity"]
    identity["country"] = country.lower()
    individual = identity.setdefault("individual", _individual(account))
    individual.update(given_name=given_name, surname=surname, updated=moments.iso(moments.now()))
    terms = {"date": moments.iso(moments.now()), "ip": "127.0.0.1"}
    identity["attestations"] = {"terms_of_service": {"account": terms}}


def can_receive(account: Json) -> bool:
    """Whether transfers to this account are accepted."""
    return not account["closed"] and _transfers(account).get("status") == "active"


def bank_account(transaction: Transaction, account: str) -> Json | None:
    """The external account that payouts go to."""
    row = transaction.row(
        "SELECT id FROM object WHERE kind = 'bank_account' AND account = ? ORDER BY seq DESC LIMIT 1", account
    )
    return transaction.find(row["id"]) if row else None


def assess(transaction: Transaction, account: Json) -> None:
    """Work out what is still needed and what the account may do, and say what changed."""
    before = (_transfers(account).get("status"), _descriptions(account))
    needed = [name for name, answer in _NEEDED.items() if not _answered(transaction, account, answer)]
    account["requirements"] = _requirements(needed)
    if _requested(account) and _transfers(account).get("status") != "active":
        _set_status(transaction, account, needed)
    transaction.save(account)
    if before[1] is not None and before[1] != _descriptions(account):
        events.tell_thin(transaction, "v2.core.account[requirements].updated", account["id"])
    if before[0] != _transfers(account).get("status") and _requested(account):
        _tell_capability(transaction, account)


def activate(transaction: Transaction, id: str) -> None:
    """The step that ends Stripe's check of what was given: transfers become active."""
    account = find(transaction, id)
    if account["closed"] or _transfers(account).get("status") != "pending":
        return
    _transfers(account).update({"status": "active", "status_details": []})
    account["requirements"] = _requirements([])
    transaction.save(account)
    events.tell_thin(transaction, "v2.core.account[requirements].updated", id)
    _tell_capability(transaction, account)


def restrict(transaction: Transaction, id: str, quietly: bool = False) -> None:
    """Take the transfers capability away, as Stripe does with a doubt; `quietly` without telling anybody."""
    account = find(transaction, id)
    if not can_receive(account):
        raise refused("This account cannot receive transfers as it is.")
    _transfers(account).update(_status("restricted", "restricted_other", "contact_stripe"))
    transaction.save(account)
    if not quietly:
        _tell_capability(transaction, account)


def restore(transaction: Transaction, id: str) -> None:
    """Give the transfers capability back."""
    account = find(transaction, id)
    if account["closed"] or _transfers(account).get("status") != "restricted" or _descriptions(account):
        raise refused("Only an account from which transfers were taken away gets them back.")
    _transfers(account).update({"status": "active", "status_details": []})
    transaction.save(account)
    _tell_capability(transaction, account)


def _check_responsibilities(asked: Json) -> None:
    given = asked.get("defaults", {}).get("responsibilities", {})
    if asked.get("dashboard") == "express" and given and set(given.values()) != {"application"}:
        raise invalid(
            "The express dashboard needs fees_collector and losses_collector to be application.",
            "defaults.responsibilities",
        )


def _write(account: Json, asked: Json) -> None:
    for name in ("contact_email", "contact_phone", "dashboard", "display_name"):
        if name in asked:
            account[name] = asked[name]
    for key, value in asked.get("metadata", {}).items():
        account["metadata"].pop(key, None) if value == "" else account["metadata"].update({key: value})
    identity = asked.get("identity", {})
    account["identity"].update(
        {name: identity[name] for name in ("country", "entity_type") if name in identity}
    )
    if "individual" in identity:
        individual = account["identity"].setdefault("individual", _individual(account))
        individual.update(identity["individual"])
    if "defaults" in asked:
        account["defaults"] = _defaults(asked["defaults"])
    if asked.get("configuration", {}).get("recipient"):
        account["applied_configurations"] = ["recipient"]
        wanted = asked["configuration"]["recipient"].get("capabilities", {}).get("stripe_balance", {})
        if wanted.get("stripe_transfers", {}).get("requested"):
            account["configuration"]["recipient"]["capabilities"].setdefault(
                "stripe_balance", {"stripe_transfers": {}}
            )


def _individual(account: Json) -> Json:
    now = moments.iso(moments.now())
    return {
        "account": account["id"],
        "created": now,
        "id": moments.new_id("person"),
        "object": "v2.core.account_person",
        "updated": now,
    }


def _defaults(asked: Json) -> Json:
    given = asked.get("responsibilities", {"fees_collector": "stripe", "losses_collector": "stripe"})
    return {**asked, "responsibilities": {**given, "requirements_collector": "stripe"}}


def _requested(account: Json) -> bool:
    return "stripe_balance" in account["configuration"]["recipient"]["capabilities"]


def _transfers(account: Json) -> Json:
    capabilities: Json = account["configuration"]["recipient"]["capabilities"]
    found: Json = capabilities.get("stripe_balance", {}).get("stripe_transfers", {})
    return found


def _status(status: str, code: str, resolution: str) -> Json:
    return {"status": status, "status_details": [{"code": code, "resolution": resolution}]}


def _set_status(transaction: Transaction, account: Json, needed: list[str]) -> None:
    if needed:
        _transfers(account).update(_status("restricted", "requirements_past_due", "provide_info"))
        return
    _transfers(account).update(_status("pending", "requirements_pending_verification", "no_resolution"))
    account["requirements"] = _requirements(["identity.individual"], "stripe")
    schedule.plan(transaction, "activate", account["id"], moments.now() + CHECKING_TAKES)


def _tell_capability(transaction: Transaction, account: Json) -> None:
    events.tell_thin(
        transaction,
        "v2.core.account[configuration.recipient].capability_status_updated",
        account["id"],
        {"updated_capability": TRANSFERS},
    )


def _answered(transaction: Transaction, account: Json, answer: str) -> bool:
    if answer == "bank_account":
        return bank_account(transaction, account["id"]) is not None
    if answer == "terms":
        return "terms_of_service" in account["identity"].get("attestations", {})
    return bool(account["identity"].get("individual", {}).get(answer))


def _requirements(needed: list[str], waits_for: str = "user") -> Json:
    deadline = {"status": "currently_due"}
    impact = {
        "restricts_capabilities": [
            {"capability": TRANSFERS, "configuration": "recipient", "deadline": deadline}
        ]
    }
    reason = "routine_onboarding" if waits_for == "user" else "routine_verification"
    entries = [
        {
            "awaiting_action_from": waits_for,
            "description": name,
            "errors": [],
            "impact": impact,
            "minimum_deadline": deadline,
            "requested_reasons": [{"code": reason}],
        }
        for name in needed
    ]
    return {"entries": entries, "summary": {"minimum_deadline": deadline} if needed else {}}


def _descriptions(account: Json) -> list[str]:
    return [entry["description"] for entry in account["requirements"]["entries"]]


def _holds_money(transaction: Transaction, id: str) -> bool:
    currencies = [
        row["currency"] for row in transaction.rows("SELECT currency FROM balance WHERE account = ?", id)
    ]
    now = moments.now()
    return any(
        available(transaction, id, currency, kind, now) or pending(transaction, id, currency, kind, now)
        for currency in currencies
        for kind in SOURCE_TYPES
    )
