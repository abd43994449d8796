"""What ``frs doctor`` finds of the identity provider: whether it answers, and with how many keys that may sign."""

from __future__ import annotations

from collections.abc import Iterator

from frs.access.issuer_client import IssuerClient
from frs.access.issuer_keys import usable_keys
from frs.server.findings import Finding, Verdict
from frs.server.listening import check_token_address
from frs.settings import Settings

ABOUT = "issuer"


def diagnose_issuer(settings: Settings) -> Iterator[Finding]:
    """Ask the provider for its keys as the service does; nothing without one. Raises what that raises."""
    check_token_address(settings)
    access = settings.access
    if not access.issuer:
        return
    keys = usable_keys(IssuerClient(access).keys())
    if not keys:
        yield Finding(
            ABOUT,
            Verdict.WRONG,
            f"{access.issuer} publishes no key that may sign tokens",
            "Have it sign with RS256, ES256 or EdDSA, and publish the key.",
        )
        return
    algorithms = sorted({algorithm for key in keys.values() for algorithm in key.algorithms})
    text = f"{access.issuer} answers: {len(keys)} keys for {', '.join(algorithms)}; audience {access.audience!r}"
    yield Finding(ABOUT, Verdict.WELL, text, details={"keys": len(keys)})
