"""A mail server for tests: python3-aiosmtpd with TLS and a login.

Arguments: mode ("starttls" or "tls"), certificate, key, user name, password.
Standard output: "port N" once, then one JSON line per mail taken. Standard input: one command per line.
  away         close the port and every connection
  back         open the same port again
  answer TEXT  answer every mail with this line, such as "451 4.3.0 later"; "answer" alone takes mails again
  slow N       wait N seconds before answering a mail that was taken
It ends when standard input is closed, so that it never outlives its test.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult

# The library warns of itself at every session.
logging.disable(logging.WARNING)

mode, certificate, key, username, password = sys.argv[1:6]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def authenticate(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    return AuthResult(success=given == (username, password), handled=False)


class Handler:
    answer = ""
    slow = 0.0

    async def handle_DATA(self, server, session, envelope):
        if self.answer:
            return self.answer
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in mail.walk() if not part.is_multipart()]
        texts = {part.get_content_type(): part.get_content() for part in parts if part.get_content_maintype() == "text"}
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "text": texts.get("text/plain", ""),
            "html": texts.get("text/html", ""),
            "pictures": [len(part.get_content()) for part in parts if part.get_content_type() == "image/png"],
        }
        print(json.dumps(taken), flush=True)
        await asyncio.sleep(self.slow)
        return "250 2.0.0 taken"


handler = Handler()
sessions = set()


class Session(SMTP):
    def connection_made(self, transport):
        sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error):
        sessions.discard(self)
        super().connection_lost(error)


def session():
    shared = dict(authenticator=authenticate, auth_required=True, hostname="localhost")
    if mode == "tls":
        # The connection is encrypted from its first byte, which aiosmtpd does not see.
        return Session(handler, auth_require_tls=False, **shared)
    return Session(handler, tls_context=context, require_starttls=True, **shared)


async def main():
    loop = asyncio.get_running_loop()
    commands = asyncio.Queue()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, line.strip())
        loop.call_soon_threadsafe(commands.put_nowait, None)

    async def listen(port):
        wrapped = context if mode == "tls" else None
        return await loop.create_server(session, "127.0.0.1", port, ssl=wrapped, reuse_address=True)

    listener = await listen(0)
    port = listener.sockets[0].getsockname()[1]
    print(f"port {port}", flush=True)
    threading.Thread(target=read, daemon=True).start()
    while (command := await commands.get()) is not None:
        verb, _, rest = command.partition(" ")
        if verb == "away":
            listener.close()
            for open_session in list(sessions):
                open_session.transport.abort()
        elif verb == "back":
            listener = await listen(port)
        elif verb == "answer":
            handler.answer = rest
        elif verb == "slow":
            handler.slow = float(rest)
        print(f"done {verb}", flush=True)


asyncio.run(main())
