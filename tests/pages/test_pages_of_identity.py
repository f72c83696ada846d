"""Members, invitations, a second factor and providers in a browser with JavaScript switched off; each page fit to be read as it comes."""

from pathlib import Path

import pytest

from flyball.identity import totp
from flyball.kit.clock import SystemClock
from flyball.projects import members, own_roles, tenants

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

INSPECTION = (Path(__file__).parent / "works" / "inspection.js").read_text()
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
WORDS = "four unrelated words"


async def look(page, name, shots):
    """What is wrong with the page in both sizes and both schemes."""
    wrong = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            wrong += [f"{name}, {size}, {scheme}: {found}" for found in await page.evaluate(INSPECTION)]
            if shots:
                (shots / "identity").mkdir(parents=True, exist_ok=True)
                await page.screenshot(path=shots / "identity" / f"{name}-{size}-{scheme}.png", full_page=True)
    await page.set_viewport_size(SIZES["desktop"])
    return wrong


async def test_a_person_is_invited_joins_and_sets_a_second_factor_up(works, browse, shots):
    wrong = []
    async with browse(works) as (page, _):
        await page.goto("/members")
        await page.get_by_role("button", name="Invite").click()
        link = await page.locator(".notice .id span").first.inner_text()
        wrong += await look(page, "members-invited", shots)
    async with browse(works, signed_in=False, java_script_enabled=False) as (page, _):
        await page.goto(link)
        await page.get_by_label("Your name here").fill("Tess")
        await page.get_by_label("Password", exact=True).fill(WORDS)
        await page.get_by_label("Password again").fill(WORDS)
        await page.get_by_role("button", name="Accept").click()
        await page.goto("/account")
        await (
            page.get_by_role("button", name="Set it up")
            .locator("xpath=ancestor::form")
            .get_by_label("Current password")
            .fill(WORDS)
        )
        await page.get_by_role("button", name="Set it up").click()
        picture = await page.locator("img").evaluate("image => image.naturalWidth")
        secret = (await page.locator("p.mono").inner_text()).replace(" ", "")
        await page.get_by_label("Code").fill(_code(secret))
        await page.get_by_role("button", name="Turn it on").click()
        codes = (await page.locator("pre").inner_text()).split()
        await page.get_by_role("link", name="I have kept them").click()
        await page.get_by_role("button", name="Sign out", exact=True).first.click()
        await page.get_by_label("Name").fill("Tess")
        await page.get_by_label("Password").fill(WORDS)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_label("Code").fill(codes[0])
        await page.get_by_role("button", name="Sign in").click()
        await page.goto("/account")
        assert "9 recovery codes are left" in await page.content()

    assert picture > 100
    assert len(codes) == 10
    assert not wrong, "\n".join(wrong)


def _code(secret: str) -> str:
    import base64

    return totp.code_of(base64.b32decode(secret), totp.step_at(SystemClock().now_ns()))


async def test_the_pages_of_identity_are_fit_to_be_read_when_there_is_much_on_them(works, browse, shots):
    ctx, wrong = works.ctx, []
    await tenants.create_project(ctx, "a second project with rather a long name for what it is")
    await own_roles.set_role(ctx, "trace reader", ("traces.read", "scores.*"), "looks at what happened")
    await members.add_member(ctx, "Bartholomew Featherstonehaugh-Cholmondeley", "trace reader", "b.f@example.org")
    async with browse(works) as (page, _):
        await page.goto("/providers/new")
        wrong += await look(page, "provider-new", shots)
        await page.locator("input[name=name]").fill("company")
        await page.get_by_label("Issuer").fill("http://accounts.example.com")
        await page.get_by_label("Client id").fill("flyball")
        await page.get_by_role("button", name="Declare it").click()
        assert "without encryption" in await page.get_by_role("alert").inner_text()
        wrong += await look(page, "provider-wrong", shots)
        await page.get_by_label("Issuer").fill("https://accounts.example.com")
        await page.get_by_label("Client secret, as a reference").fill("secret:company")
        await page.get_by_label("Claim that lists groups").fill("groups")
        await page.get_by_label("Roles of groups").fill("engineers -> default: maintainer")
        await page.get_by_role("button", name="Declare it").click()
        assert "is declared" in await page.get_by_role("status").first.inner_text()
        for path in ("/providers", "/providers/company", "/members", "/roles", "/projects", "/account"):
            await page.goto(path)
            wrong += await look(page, "much-" + path.strip("/").replace("/", "-"), shots)
        await page.goto("/projects")
        await page.get_by_role("button", name="Act in a second project").click()
        await page.goto("/projects")
        assert "current" in await page.locator("tr", has_text="a second project").inner_text()
        await page.get_by_role("button", name="Act in default").click()
        works.signed_in = await page.context.storage_state()  # each switch gives the session another token
    async with browse(works, signed_in=False) as (page, _):
        await page.goto("/sign-in")
        assert await page.get_by_role("link", name="Sign in with company").is_visible()
        wrong += await look(page, "sign-in-with-provider", shots)
        await page.goto("/sign-in/code")
        wrong += await look(page, "code", shots)

    assert not wrong, "\n".join(wrong)
