"""The key of a gallery is in no report."""

import pytest

from flows.report.gallery_address import without_key
from pipeline.errors import UserError


@pytest.mark.parametrize("rest", ["", "/", "/?token=a-key", "?token=a-key", "/#/photo/1"])
def test_an_address_ends_with_its_port(rest: str) -> None:
    assert without_key(f"http://127.0.0.1:8080{rest}") == "http://127.0.0.1:8080"
    assert without_key(f"http://localhost:9{rest}") == "http://127.0.0.1:9"  # to which the cookie belongs
    assert without_key("") == ""


@pytest.mark.parametrize(
    "address",
    [
        "8080",
        "http://127.0.0.1",
        "https://127.0.0.1:8080",
        "http://example.org:80",
        "javascript:alert(1)",
        "http://127.0.0.1:8080.example.org",
        "http://127.0.0.1:80token=SECRET",
        "127.0.0.1:80/?token=SECRET",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/?token=SECRET",
        "http://127.0.0.1:\uff18\uff10",
        'http://127.0.0.1:80"/',
    ],
)
def test_what_is_no_address_of_a_gallery_here_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="give the address that `refinery browse` printed") as refused:
        without_key(address)
    assert "SECRET" not in str(refused.value)
