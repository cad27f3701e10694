"""Forms count only from our own pages: another site open in the same browser must not act as `you`."""

import ipaddress
from urllib.parse import urlsplit

from fastapi import Request

from bot.local.refusals import Forbidden

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def refuse_foreign_form(request: Request) -> None:
    """By what the browser says of the form's origin (Sec-Fetch-Site, Origin), which no page can forge.

    A host that is a name other than localhost is refused as well: a foreign name that is pointed to this machine (DNS
    rebinding) would look like our own page. Programs that are no browsers send neither header and pass.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin", "none"):
        raise Forbidden("This form was sent by another web site.")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("This form was sent by another web site.")
    if not _is_local(request.url.hostname or ""):
        raise Forbidden("Forms are accepted at localhost or at the machine's IP address only. Open this page there.")


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
