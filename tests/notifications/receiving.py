"""Servers that receive notifications on this machine: one speaks HTTP, one SMTP with STARTTLS. Both keep what they were told."""

import asyncio
import hmac
import json
import ssl
from email import message_from_bytes, policy


class Hook:
    """A webhook's receiver. It answers with `status`, and keeps each body whose signature is good."""

    def __init__(self, secret: str) -> None:
        self.status = 200
        self.secret = secret
        self.told: list[dict] = []
        self.ids: list[str] = []  # of every try
        self.hold = asyncio.Event()  # while it is not set, nothing is answered
        self.hold.set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"http://{self.host}/T0KEN?in=path"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        signed = headers["flyball-timestamp"].encode() + b"." + body
        good = "v1=" + hmac.digest(self.secret.encode(), signed, "sha256").hex() == headers["flyball-signature"]
        self.ids.append(headers["flyball-notification"])
        if good and 200 <= self.status < 300:
            self.told.append(json.loads(body))
        await self.hold.wait()
        writer.write(f"HTTP/1.1 {self.status if good else 401} x\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()


class Mailbox:
    """An SMTP server that takes mail for anybody; with `tls` after STARTTLS alone, and from nobody who did not sign in."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, refuses: bool = False) -> None:
        self.tls = tls
        self.refuses = refuses
        self.mails: list = []
        self.to: list[str] = []
        self.signed_in: list[str] = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _talk(self, reader, writer):
        secure = self.tls is None
        writer.write(b"220 here ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            word = line.split(" ", 1)[0].upper()
            if word == "EHLO":
                writer.write(b"250-here\r\n" + (b"250 AUTH PLAIN\r\n" if secure else b"250 STARTTLS\r\n"))
            elif word == "STARTTLS":
                writer.write(b"220 go on\r\n")
                await writer.start_tls(self.tls)
                secure = True
            elif word == "AUTH":
                self.signed_in.append(line.split(" ")[2])
                writer.write(b"235 welcome\r\n")
            elif word == "MAIL" and (not secure or (self.tls and not self.signed_in)):
                writer.write(b"530 sign in first\r\n")
            elif word == "RCPT" and self.refuses:
                writer.write(b"550 nobody of that name\r\n")
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(message_from_bytes(data[:-5], policy=policy.default))
                writer.write(b"250 taken\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                writer.close()
                return
            else:
                if word == "RCPT":
                    self.to.append(line)
                writer.write(b"250 well\r\n")
