"""A browser away from flyball: follows redirects, keeps cookies, fills the forms that a provider shows. Stops at flyball's door."""

import asyncio
import http.cookiejar
import re
import urllib.error
import urllib.request
from urllib.parse import urlencode, urljoin

_FORM = re.compile(r"<form[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", re.DOTALL)
_FIELD = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Outside:
    """`home` is where it stops."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.pages: list[str] = []
        jar = http.cookiejar.CookieJar(
            http.cookiejar.DefaultCookiePolicy(
                rfc2965=False, strict_ns_domain=http.cookiejar.DefaultCookiePolicy.DomainLiberal
            )
        )
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _Stay, urllib.request.HTTPCookieProcessor(jar)
        )

    async def sign_in(self, address: str, name: str) -> str:
        """Sign in there under a name, consent, and come back: the path and query at flyball."""
        return await asyncio.to_thread(self._sign_in, address, name)

    def _sign_in(self, address: str, name: str) -> str:
        url, data = address, None
        for _ in range(20):
            if url.startswith(self.home):
                return url.removeprefix(self.home)
            status, location, page = self._ask(url, data)
            if location:
                url, data = urljoin(url, location), None
                continue
            assert status == 200, (url, status, page[:2000])
            self.pages.append(page)
            action, inside = _FORM.search(page).groups()
            fields = [dict(_ATTRIBUTE.findall(field)) for field in _FIELD.findall(inside)]
            filled = {field["name"]: field.get("value", "") for field in fields if "name" in field}
            filled |= {"login": name, "password": "any"} if "login" in filled else {}
            url, data = urljoin(url, action), urlencode(filled).encode()
        raise AssertionError("the provider sends the browser round and round")

    def _ask(self, url: str, data: bytes | None) -> tuple[int, str, str]:
        try:
            with self._opener.open(urllib.request.Request(url, data), timeout=20) as answer:
                return answer.status, "", answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers.get("location", ""), answer.read().decode()
