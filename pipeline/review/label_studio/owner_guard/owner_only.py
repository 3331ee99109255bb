"""A Django middleware: what an account may change that is not its own, only the owner of the server may.

In Label Studio Community every account may do all that the owner may: switch off the tokens of programs, make the
sign-up link anew, rename or delete other accounts, and make a storage into which the server writes. Only the process of
Label Studio loads this module.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, JsonResponse  # type: ignore[import-not-found]

READING = ("GET", "HEAD", "OPTIONS")
# the addresses whose changes are the owner's, by how their routes begin
OWNERS_ROUTES = (
    "api/jwt/settings",
    "api/session-policy",
    "api/invite",
    "api/organizations",
    "api/users",
    "api/storages/export",
)
USERS_ROUTE = "api/users"  # of these an account may change its own
REFUSAL = "only the owner of this server may do this"


class OwnerOnly:
    """Answers 403 to changes below OWNERS_ROUTES that somebody else than the owner of the server asks for."""

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        """The response of the further middlewares and of the view."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The refusal; None lets the request go on. Django calls this when it has found the view of the address."""
        route = request.resolver_match.route.replace("^", "")
        if request.method in READING or not route.startswith(OWNERS_ROUTES):
            return None
        user = _user_of(request)
        own = route.startswith(USERS_ROUTE) and request.method == "PATCH" and str(kwargs.get("pk")) == str(user.pk)
        if user.pk is not None and (own or user.pk == _owner()):
            return None
        return JsonResponse({"detail": REFUSAL}, status=403)


def _user_of(request: HttpRequest) -> Any:
    """The account that a request comes from: that of its token, else that of its session (without a number: nobody).

    Label Studio finds the account of a token only in the view, and lets a token count more than a session.
    """
    from rest_framework.authtoken.models import Token  # type: ignore[import-not-found]  # models: once Django runs

    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    token = Token.objects.select_related("user").filter(key=key.strip()).first() if kind.lower() == "token" else None
    return token.user if token is not None else request.user


def _owner() -> Any:
    """The number of the account that the server was made with."""
    from organizations.models import Organization  # type: ignore[import-not-found]

    return Organization.objects.order_by("pk").values_list("created_by_id", flat=True).first()
