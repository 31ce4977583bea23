"""Local Stripe: a stand-in for Stripe on one's own machine, spoken to by the official client over real HTTP.

    python -m marketplace.demo.stripe_server --port 8421 --data var/stripe --clock-file var/clock.json

It listens on 127.0.0.1 only and keeps its state in `DATA/stripe.sqlite3`, so that a restart continues. It
stops on SIGTERM and SIGINT. A port in use is one sentence and exit code 1.

Options
    --port N          the port; 0 takes a free one. Prints `Local Stripe listens on http://127.0.0.1:N`.
    --data DIR        the folder of its state, made when missing.
    --clock-file F    the shared clock (`MARKETPLACE_CLOCK_FILE`); without it, the system's time.

Environment
    STRIPE_LOCAL_KEY        the API keys let in, separated by commas; `sk_test_local` when unset.
    STRIPE_LOCAL_ENDPOINTS  JSON list of listeners known from the start, whose secrets both sides share:
                            [{"url", "secret", "connect": false, "thin": false, "enabled_events": ["*"]}].
                            Registered again at each start without doubling.
    STRIPE_LOCAL_OWNER      the name on the operator's bank account.

Addresses besides Stripe's own `/v1` and `/v2`
    GET /healthz                     {"ok", "due": steps to do, "undelivered": webhooks to deliver}
    GET /onboard/…, /c/pay/…         the hosted pages; `hands.py` clicks through them
    GET /express/…                   an expert's own dashboard, from a login link
    GET /practice                    what can go wrong, to be armed; what is armed; the clock
    GET /practice/disputes           payments to be disputed or to fail; the bank's decisions
    GET /practice/accounts           accounts to be stopped or emptied, payouts to come back
    GET /practice/faults.json        the switches, for tests
    GET /bank                        Harbour Bank, the operator's bank
    GET /bank/statement.camt053.xml?from=YYYY-MM-DD&to=YYYY-MM-DD
    GET /bank/lines.json?from=&to=   the same bookings, for tests

Time. All follows the shared clock. A request with the header `Marketplace-Clock: <ISO 8601 moment>` is acted
on as at that moment. What falls due later is a row in `schedule`, done in order of time and stamped with its
own due time, within about half a second of the shared clock reaching it (at once when that lies in the past).

What differs from Stripe on purpose: nobody's card is real; transfers of either source type arrive in a
connected account's card balance; the platform's payouts are manual from the start; identity is checked in
two seconds; a bank transfer comes on the next business day; a payout is submitted at the next midnight (UTC)
and arrives two business days after it was made; a bank debit is answered after four, a top-up after three
business days, and the latter arrives in the source type `bank_account`; a debit that was paid can still be
made to fail, where Stripe would open a dispute.

Nothing goes wrong by itself: see `faults.py` for the switches and `practice_week.py` for their page.
"""
