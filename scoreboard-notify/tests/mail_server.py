"""A mail server for tests, on a free port of this machine, which it prints first. Each mail it takes is a line of JSON.

Its arguments are the answers to the first mails, in the place of taking them: `451` is "not now", `550` "never".
"""

import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP


def say(what):
    print(json.dumps(what), flush=True)


class Handler:
    def __init__(self, answers):
        self.answers = answers

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            answer = self.answers.pop(0)
            say({"refused": answer})
            return answer + " as it was told to"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "subject": mail["subject"],
                "id": mail["message-id"],
                "text": mail.get_content(),
            }
        )
        return "250 OK"


async def main():
    handler = Handler(sys.argv[1:])
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", 0)
    say(server.sockets[0].getsockname()[1])
    # Ends with whoever started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
