"""The scenarios of the interoperability tests with nats-py; ../README.md says what each one proves."""

import asyncio
import os
import ssl
import sys

import nats
from nats import errors

DEADLINE_S = 20


def env(name):
    return os.environ["NUNCIO_" + name]


def url(port, userinfo=""):
    return f"nats://{userinfo}{env('HOST')}:{env(port)}"


connections = []


async def ignore(_):
    """Errors reach us as exceptions; the library would print them as well."""


async def dial(servers=None, **options):
    if servers is None:
        servers = url("USERS_PORT")
        options = {"user": env("USER"), "password": env("PASSWORD"), **options}
    patient = {"allow_reconnect": False, "error_cb": ignore, "connect_timeout": DEADLINE_S}
    nc = await nats.connect(servers, **{**patient, **options})
    connections.append(nc)
    return nc


async def dial_as(user, password="", **options):
    """To the server where users differ in their rights."""
    return await dial(url("RIGHTS_PORT"), user=user, password=password or env("PASSWORD"), **options)


async def two():
    return await dial(), await dial()


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


async def take(sub, count):
    return [await sub.next_msg(timeout=DEADLINE_S) for _ in range(count)]


async def expect_error(awaitable, kind):
    try:
        await awaitable
    except kind:
        return
    except Exception as error:  # pylint: disable=broad-except
        raise AssertionError(f"{error!r} instead of {kind.__name__}") from error
    raise AssertionError(f"no {kind.__name__}")


async def logs_in(*arguments, **options):
    """Only a login that gets an answer from the server over the same connection counts."""
    nc = await dial(*arguments, **options)
    sub = await nc.subscribe("login")
    await nc.publish("login", b"hello")
    equal((await take(sub, 1))[0].data, b"hello", "payload")


async def refused(*arguments, **options):
    """While connecting the library has no class for this: an Error that carries the server's words."""
    try:
        await dial(*arguments, **options)
    except errors.Error as error:
        equal(str(error), "nats: 'Authorization Violation'", "error")
        return
    raise AssertionError("no error")


async def no_answer(nc, subject):
    await expect_error(nc.request(subject, b"", timeout=DEADLINE_S), errors.NoRespondersError)


async def settle(nc):
    """Returns when the server has done all that was asked of it on this connection. The library's flush does not say
    so: it writes its PING past the commands still waiting to be sent. A request is sent in their order."""
    await no_answer(nc, "nobody.listens")


async def connect_user_password():
    await logs_in()


async def connect_odd_characters():
    await logs_in(user=env("ODD_USER"), password=env("ODD_PASSWORD"))


async def connect_token():
    await logs_in(url("TOKEN_PORT"), token=env("TOKEN"))


async def connect_url_user_password():
    await logs_in(url("USERS_PORT", f"{env('USER')}:{env('PASSWORD')}@"))


async def connect_url_token():
    await logs_in(url("TOKEN_PORT", env("TOKEN") + "@"))


async def connect_hashed_user():
    await logs_in(user=env("HASHED_USER"), password=env("HASHED_PASSWORD"))


async def connect_hashed_token():
    await logs_in(url("HASHED_TOKEN_PORT"), token=env("HASHED_TOKEN"))


async def refuse_wrong_password():
    await refused(password="wrong")


async def refuse_unknown_user():
    await refused(user="nobody")


async def refuse_wrong_token():
    await refused(url("TOKEN_PORT"), token="wrong")


async def refuse_wrong_hashed_password():
    await refused(user=env("HASHED_USER"), password="wrong")


async def refuse_wrong_hashed_token():
    await refused(url("HASHED_TOKEN_PORT"), token="wrong")


async def refuse_no_credentials():
    await refused(url("USERS_PORT"))


async def publish_subscribe():
    a, b = await two()
    sub = await a.subscribe("greet.world")
    await settle(a)
    await b.publish("greet.world", b"hello", reply="answer.here")
    (message,) = await take(sub, 1)
    equal((message.subject, message.reply, message.data), ("greet.world", "answer.here", b"hello"), "message")


async def payload_bytes():
    a, b = await two()
    payloads = [b"", b"\r\n", b"MSG a 1 5\r\nPING\r\n", bytes(range(256))]
    sub = await a.subscribe("bytes")
    await settle(a)
    for payload in payloads:
        await b.publish("bytes", payload)
    equal([message.data for message in await take(sub, len(payloads))], payloads, "payloads")


async def wildcards():
    a, b = await two()
    star = await a.subscribe("wild.*.end")
    rest = await a.subscribe("wild.>")
    await settle(a)
    for subject in ["wild.1.end", "wild.1.2.end", "wild.2.end", "wild", "tame.1.end"]:
        await b.publish(subject, b"")
    await settle(b)
    await settle(a)
    equal([m.subject for m in await take(star, 2)], ["wild.1.end", "wild.2.end"], "star")
    equal([m.subject for m in await take(rest, 3)], ["wild.1.end", "wild.1.2.end", "wild.2.end"], "rest")
    equal((star.pending_msgs, rest.pending_msgs), (0, 0), "surplus messages")


async def order():
    a, b = await two()
    count = 20000
    sub = await a.subscribe("order")
    await settle(a)
    for i in range(count):
        await b.publish("order", b"%d" % i)
    await settle(b)
    for i in range(count):
        equal((await sub.next_msg(timeout=DEADLINE_S)).data, b"%d" % i, "message")


async def no_echo():
    a = await dial(no_echo=True)
    b = await dial()
    sub = await a.subscribe("echo")
    await settle(a)
    await a.publish("echo", b"own")
    await settle(a)
    await b.publish("echo", b"other")
    equal((await take(sub, 1))[0].data, b"other", "first payload")


async def verbose_pedantic():
    await logs_in(verbose=True, pedantic=True)


async def queue_group():
    publisher = await dial()
    everything = await publisher.subscribe("work")
    await settle(publisher)
    members = []
    for _ in range(3):
        nc = await dial()
        members.append((nc, await nc.subscribe("work", queue="workers")))
        await settle(nc)
    for i in range(300):
        await publisher.publish("work", b"%d" % i)
    await settle(publisher)
    await take(everything, 300)
    got = []
    for nc, sub in members:
        await settle(nc)
        assert sub.pending_msgs > 0, "a member got nothing"
        got += [message.data for message in await take(sub, sub.pending_msgs)]
    equal(sorted(got), sorted(b"%d" % i for i in range(300)), "messages to the group")


async def request_reply():
    a, b = await two()

    async def answer(message):
        await message.respond(b"re:" + message.data)

    await a.subscribe("service", cb=answer)
    await settle(a)
    for i in range(100):
        equal((await b.request("service", b"%d" % i, timeout=DEADLINE_S)).data, b"re:%d" % i, "answer")
    answers = await asyncio.gather(*(b.request("service", b"c%d" % i, timeout=DEADLINE_S) for i in range(50)))
    equal([message.data for message in answers], [b"re:c%d" % i for i in range(50)], "concurrent answers")


async def no_responders():
    await no_answer(await dial(), "nobody.listens")


async def headers():
    a, b = await two()

    async def answer(message):
        # The library keeps one value a name.
        back = {"Answer": message.headers["One"] + "+" + message.headers["Two"], "Blank": "a b"}
        await a.publish(message.reply, message.data, headers=back)

    await a.subscribe("headed", cb=answer)
    await settle(a)
    message = await b.request("headed", b"body", timeout=DEADLINE_S, headers={"One": "1", "Two": "two: three"})
    equal((message.headers["Answer"], message.headers["Blank"], message.data), ("1+two: three", "a b", b"body"), "answer")


async def unsubscribe():
    a, b = await two()
    sub = await a.subscribe("leave")
    await settle(a)
    await sub.unsubscribe()
    await settle(a)
    await no_answer(b, "leave")


async def unsubscribe_max():
    """The client counts too; that nobody answers afterwards shows that the server does."""
    a, b = await two()
    sub = await a.subscribe("some")
    await sub.unsubscribe(limit=5)
    await settle(a)
    for i in range(10):
        await b.publish("some", b"%d" % i)
    await settle(b)
    equal([message.data for message in await take(sub, 5)], [b"%d" % i for i in range(5)], "messages")
    await no_answer(b, "some")


async def drain():
    a, b = await two()
    got = []

    async def note(message):
        got.append(message.data)

    await a.subscribe("drained", cb=note)
    await settle(a)
    for i in range(1000):
        await b.publish("drained", b"%d" % i)
    await settle(b)
    await a.drain()
    equal((a.is_closed, len(got)), (True, 1000), "closed and messages before that")
    await no_answer(b, "drained")


async def large_payload():
    a, b = await two()
    payload = bytes((i * 7) & 255 for i in range(512 * 1024))
    sub = await a.subscribe("large")
    await settle(a)
    for _ in range(5):
        await b.publish("large", payload)
    assert all(message.data == payload for message in await take(sub, 5)), "payload differs"


async def payload_above_max():
    nc = await dial()
    await expect_error(nc.publish("huge", bytes(nc.max_payload + 1)), errors.MaxPayloadError)
    await settle(nc)


async def many_connections():
    count = 50
    everybody = await asyncio.gather(*(dial() for _ in range(count)))
    own = [await nc.subscribe(f"ring.{i}") for i, nc in enumerate(everybody)]
    common = [await nc.subscribe("ring.all") for nc in everybody]
    await asyncio.gather(*(settle(nc) for nc in everybody))
    for i, nc in enumerate(everybody):
        await nc.publish(f"ring.{(i + 1) % count}", b"%d" % i)
    await everybody[0].publish("ring.all", b"everybody")
    for i in range(count):
        equal((await take(own[i], 1))[0].data, b"%d" % ((i + count - 1) % count), "neighbour")
        equal((await take(common[i], 1))[0].data, b"everybody", "broadcast")


async def reconnect():
    back = asyncio.Event()

    async def note():
        back.set()

    nc = await dial(allow_reconnect=True, reconnect_time_wait=0.05, max_reconnect_attempts=600, reconnected_cb=note)
    sub = await nc.subscribe("alive.*")
    await settle(nc)
    print("restart users", flush=True)
    await asyncio.wait_for(back.wait(), 2 * DEADLINE_S)
    await nc.publish("alive.again", b"yes")
    equal((await take(sub, 1))[0].data, b"yes", "payload")


class Violations:
    """What the server says about rights, which the library tells its error callback only, and in small letters."""

    def __init__(self):
        self.said = asyncio.Queue()

    async def note(self, error):
        await self.said.put(str(error))

    async def expect(self, action):
        said = await asyncio.wait_for(self.said.get(), DEADLINE_S)
        assert said.startswith(f"nats: permissions violation for {action.lower()}"), said


async def connect_nkey():
    await logs_in(url("RIGHTS_PORT"), nkeys_seed=env("NKEY_SEED"))


async def refuse_unknown_nkey():
    await refused(url("RIGHTS_PORT"), nkeys_seed=env("UNKNOWN_NKEY_SEED"))


async def permissions_publish():
    violations = Violations()
    limited, witness = await dial_as("limited", error_cb=violations.note), await dial_as(env("USER"))
    seen = await witness.subscribe("*.said")
    await settle(witness)
    await limited.publish("closed.said", b"")
    await violations.expect('Publish to "closed.said"')
    await limited.publish("open.said", b"")
    equal((await take(seen, 1))[0].subject, "open.said", "subject")


async def permissions_subscribe():
    violations = Violations()
    limited, speaker = await dial_as("limited", error_cb=violations.note), await dial_as(env("USER"))
    everything = await limited.subscribe("open.>")
    secret = await limited.subscribe("open.secret")
    await violations.expect('Subscription to "open.secret"')
    await settle(limited)
    for subject in ["open.secret", "open.said"]:
        await speaker.publish(subject, b"")
    equal((await take(everything, 1))[0].subject, "open.said", "subject")
    equal(secret.pending_msgs, 0, "secret messages")


async def allow_responses():
    violations = Violations()
    responder, asker = await dial_as("responder", error_cb=violations.note), await dial_as(env("USER"))

    async def answer_twice(message):
        await message.respond(b"first")
        await message.respond(b"second")

    await responder.subscribe("help", cb=answer_twice)
    await settle(responder)
    for _ in range(2):
        equal((await asker.request("help", b"", timeout=DEADLINE_S)).data, b"first", "answer")
        await violations.expect('Publish to "_INBOX.')


async def service_import():
    service, importer = await dial_as(env("USER")), await dial_as("importer")

    async def answer(message):
        await message.respond(b"re:" + message.data)

    await service.subscribe("time", cb=answer)
    await settle(service)
    for i in range(10):
        equal((await importer.request("own.time", b"%d" % i, timeout=DEADLINE_S)).data, b"re:%d" % i, "answer")
    await no_answer(importer, "time")


async def service_import_no_responders():
    await no_answer(await dial_as("importer"), "own.nothing")


async def stream_import():
    source, importer = await dial_as(env("USER")), await dial_as("importer")
    imported, own = await importer.subscribe("from_own.news.>"), await importer.subscribe("news.>")
    await settle(importer)
    await source.publish("news.today", b"hello", reply="answer.here")
    (message,) = await take(imported, 1)
    equal((message.subject, message.reply, message.data), ("from_own.news.today", "answer.here", b"hello"), "message")
    await importer.publish("news.own", b"")
    equal((await take(own, 1))[0].subject, "news.own", "first subject of the own account")


async def dial_noting_the_end(*arguments, **options):
    """A connection, and the event of its end. The library does not come back from a refusal by itself."""
    end = asyncio.Event()

    async def note():
        end.set()

    return await dial(*arguments, closed_cb=note, **options), end


async def reload_password():
    changed, end = await dial_noting_the_end(url("RIGHTS_PORT"), user="carol", password=env("PASSWORD"))
    other = await dial_as(env("USER"))
    sub = await other.subscribe("still.here")
    await settle(other)
    print("reload rights", flush=True)
    await asyncio.wait_for(end.wait(), 2 * DEADLINE_S)
    equal(type(changed.last_error), errors.AuthorizationError, "last error")
    await refused(url("RIGHTS_PORT"), user="carol", password=env("PASSWORD"))
    again = await dial_as("carol", env("NEXT_PASSWORD"))
    await again.publish("still.here", b"yes")
    equal((await take(sub, 1))[0].data, b"yes", "payload")


async def token_rotation():
    _, end = await dial_noting_the_end(url("TOKEN_PORT"), token=env("TOKEN"))
    rotated = await dial(url("TOKEN_PORT"), token=env("NEXT_TOKEN"))
    sub = await rotated.subscribe("still.here")
    await settle(rotated)
    print("reload token", flush=True)
    await asyncio.wait_for(end.wait(), 2 * DEADLINE_S)
    await refused(url("TOKEN_PORT"), token=env("TOKEN"))
    late = await dial(url("TOKEN_PORT"), token=env("NEXT_TOKEN"))
    await late.publish("still.here", b"yes")
    equal((await take(sub, 1))[0].data, b"yes", "payload")


def certificate(name, ending="pem"):
    return os.path.join(env("CERTIFICATES"), f"{name}.{ending}")


def with_tls(port, authority, own=None, **login):
    """The server verified by `authority`; `own` is the client's certificate, if any."""
    context = ssl.create_default_context(cafile=certificate(authority))
    if own:
        context.load_cert_chain(certificate(own), certificate(own, "key"))
    return {"servers": f"tls://{env('HOST')}:{env(port)}", "tls": context, "tls_hostname": env("HOST"), **login}


def alice():
    return {"user": env("USER"), "password": env("PASSWORD")}


async def no_tls(**options):
    """Without a login that could be right or wrong."""
    try:
        await dial(**options)
    except Exception as error:  # pylint: disable=broad-except
        if "Authorization" in str(error):
            raise AssertionError(f"{error!r}") from error
        return
    raise AssertionError("no error")


async def tls_user_password():
    await logs_in(**with_tls("TLS_PORT", "ca", **alice()))


async def tls_refuse_wrong_password():
    await refused(**with_tls("TLS_PORT", "ca", user=env("USER"), password="wrong"))


async def tls_refuse_unknown_authority():
    await expect_error(dial(**with_tls("TLS_PORT", "next_ca", **alice())), ssl.SSLCertVerificationError)


async def tls_messages():
    a, b = [await dial(**with_tls("TLS_PORT", "ca", **alice())) for _ in range(2)]
    payload = bytes((i * 7) % 256 for i in range(512 * 1024))
    sub = await a.subscribe("secret")
    await settle(a)
    for i in range(20000):
        await b.publish("secret", b"%d" % i)
    for _ in range(5):
        await b.publish("secret", payload)
    for i in range(20000):
        equal((await take(sub, 1))[0].data, b"%d" % i, "message")
    for message in await take(sub, 5):
        equal(message.data == payload, True, "large payload")


async def mtls_verify():
    await logs_in(**with_tls("VERIFYING_PORT", "ca", "unmapped", **alice()))


async def mtls_refuse_no_certificate():
    await no_tls(**with_tls("VERIFYING_PORT", "ca", **alice()))


async def mtls_refuse_unknown_authority():
    await no_tls(**with_tls("VERIFYING_PORT", "ca", "stranger", **alice()))


async def mtls_map_email():
    """The user's rights are what shows which one the certificate stands for."""
    violations = Violations()
    nc = await dial(**with_tls("MAPPING_PORT", "ca", "mapped"), error_cb=violations.note)
    sub = await nc.subscribe("open.>")
    await settle(nc)
    await nc.publish("closed.said", b"")
    await violations.expect('Publish to "closed.said"')
    await nc.publish("open.said", b"")
    equal((await take(sub, 1))[0].subject, "open.said", "subject")


async def mtls_map_distinguished_name():
    device = await dial(**with_tls("MAPPING_PORT", "ca", "device"))
    other = await dial(**with_tls("MAPPING_PORT", "ca", "mapped"))
    sub = await device.subscribe("*.said")
    await settle(device)
    await other.publish("open.said", b"")  # in another account
    await settle(other)
    await device.publish("own.said", b"")
    equal((await take(sub, 1))[0].subject, "own.said", "subject")


async def mtls_refuse_unmapped():
    await refused(**with_tls("MAPPING_PORT", "ca", "unmapped"))


async def reload_certificate():
    """Who trusts only the new authority gets in after it, who trusts only the old one no more; who was in stays."""
    def carol(password):
        return with_tls("TLS_PORT", "both_cas", user="carol", password=env(password))

    _, end = await dial_noting_the_end(**carol("PASSWORD"))
    other = await dial(**with_tls("TLS_PORT", "ca", **alice()))
    sub = await other.subscribe("still.here")
    await settle(other)
    print("reload tls", flush=True)
    await asyncio.wait_for(end.wait(), 2 * DEADLINE_S)
    await no_tls(**with_tls("TLS_PORT", "ca", **alice()))
    for again in (carol("NEXT_PASSWORD"), with_tls("TLS_PORT", "next_ca", **alice())):
        await (await dial(**again)).publish("still.here", b"yes")
        equal((await take(sub, 1))[0].data, b"yes", "payload")


SCENARIOS = [
    connect_user_password, connect_odd_characters, connect_token, connect_url_user_password, connect_url_token,
    connect_hashed_user, connect_hashed_token,
    refuse_wrong_password, refuse_unknown_user, refuse_wrong_token, refuse_wrong_hashed_password,
    refuse_wrong_hashed_token, refuse_no_credentials,
    publish_subscribe, payload_bytes, wildcards, order, no_echo, verbose_pedantic,
    queue_group, request_reply, no_responders, headers, unsubscribe, unsubscribe_max, drain,
    large_payload, payload_above_max, many_connections, reconnect,
    connect_nkey, refuse_unknown_nkey,
    permissions_publish, permissions_subscribe, allow_responses,
    service_import, service_import_no_responders, stream_import,
    reload_password, token_rotation,
    tls_user_password, tls_refuse_wrong_password, tls_refuse_unknown_authority, tls_messages,
    mtls_verify, mtls_refuse_no_certificate, mtls_refuse_unknown_authority,
    mtls_map_email, mtls_map_distinguished_name, mtls_refuse_unmapped,
    reload_certificate,
]


async def main():
    failed = 0
    for scenario in SCENARIOS:
        try:
            await asyncio.wait_for(scenario(), 3 * DEADLINE_S)
            print("ok", scenario.__name__, flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {scenario.__name__}: {error!r}", flush=True)
        for nc in connections:
            if not nc.is_closed:
                await nc.close()
        connections.clear()
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
