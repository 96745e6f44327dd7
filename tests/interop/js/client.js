// The scenarios of the interoperability tests with nats.js; ../README.md says what each one proves.
"use strict";
const { readFileSync } = require("fs");
const { join } = require("path");
const { connect, headers, nkeyAuthenticator, Empty, ErrorCode, Events, StringCodec } = require("nats");

const env = (name) => process.env["NUNCIO_" + name];
const at = (port) => `${env("HOST")}:${env(port)}`;
const text = StringCodec();

const plain = { servers: at("USERS_PORT"), user: env("USER"), pass: env("PASSWORD"), reconnect: false };
const open = [];

async function dial(options) {
  const nc = await connect({ ...plain, ...options });
  open.push(nc);
  return nc;
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

function equal(got, wanted, what) {
  check(got === wanted, `${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

// The next `count` messages of a subscription; fails after a deadline.
async function take(sub, count) {
  const got = [];
  const timer = setTimeout(() => sub.unsubscribe(), 20000);
  for await (const m of sub) {
    got.push(m);
    if (got.length === count) break;
  }
  clearTimeout(timer);
  equal(got.length, count, "messages");
  return got;
}

async function expect_error(promise, code) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  check(error !== undefined, "no error");
  equal(error.code, code, error.message);
}

// Only a login that gets an answer from the server over the same connection counts.
async function logs_in(options) {
  const nc = await dial(options);
  const sub = nc.subscribe("login");
  nc.publish("login", text.encode("hello"));
  equal(text.decode((await take(sub, 1))[0].data), "hello", "payload");
}

// One connection per login, the other fields of `plain` cleared.
const only = (fields) => ({ user: undefined, pass: undefined, token: undefined, ...fields });
const refused = (options) => expect_error(dial(options), ErrorCode.AuthorizationViolation);
const by_token = (port, token) => only({ servers: at(port), token });

// nats.js takes no credentials out of a URL; its users split the URL as this does.
function from_url(url) {
  const { hostname, port, username, password } = new URL(url);
  const servers = `${hostname}:${port}`;
  return only(password ? { servers, user: username, pass: password } : { servers, token: username });
}

// Users of the server where they differ in their rights.
const as = (user, options) => ({ servers: at("RIGHTS_PORT"), user, ...options });
const by_nkey = (seed) =>
  only({ servers: at("RIGHTS_PORT"), authenticator: nkeyAuthenticator(text.encode(readFileSync(env(seed), "utf8").trim())) });

// Says what the server next refuses for want of rights; only what comes after the call.
function violation(nc) {
  const statuses = nc.status();
  return deadline(
    (async () => {
      for await (const { type, data, permissionContext } of statuses) {
        if (type === Events.Error && data === ErrorCode.PermissionsViolation) {
          return `${permissionContext.operation} ${permissionContext.subject}`;
        }
      }
    })(),
    20000
  );
}

// With TLS, the server verified by `authority`; `own` is the client's certificate, if any.
const certificate = (file) => join(env("CERTIFICATES"), file);
const with_tls = (port, authority, own, fields) => {
  const tls = { caFile: certificate(`${authority}.pem`) };
  if (own) Object.assign(tls, { certFile: certificate(`${own}.pem`), keyFile: certificate(`${own}.key`) });
  return only({ servers: at(port), tls, ...fields });
};
const alice = { user: env("USER"), pass: env("PASSWORD") };

// Without a login that could be right or wrong.
async function no_tls(options) {
  let error;
  try {
    await dial(options);
  } catch (caught) {
    error = caught;
  }
  check(error !== undefined, "no error");
  check(error.code !== ErrorCode.AuthorizationViolation, error.message);
}

async function two() {
  return [await dial(), await dial()];
}

const scenarios = {
  connect_user_password: () => logs_in({}),
  connect_odd_characters: () => logs_in({ user: env("ODD_USER"), pass: env("ODD_PASSWORD") }),
  connect_token: () => logs_in(by_token("TOKEN_PORT", env("TOKEN"))),
  connect_url_user_password: () =>
    logs_in(from_url(`nats://${env("USER")}:${env("PASSWORD")}@${at("USERS_PORT")}`)),
  connect_url_token: () => logs_in(from_url(`nats://${env("TOKEN")}@${at("TOKEN_PORT")}`)),
  connect_hashed_user: () => logs_in({ user: env("HASHED_USER"), pass: env("HASHED_PASSWORD") }),
  connect_hashed_token: () => logs_in(by_token("HASHED_TOKEN_PORT", env("HASHED_TOKEN"))),

  refuse_wrong_password: () => refused({ pass: "wrong" }),
  refuse_unknown_user: () => refused({ user: "nobody" }),
  refuse_wrong_token: () => refused(by_token("TOKEN_PORT", "wrong")),
  refuse_wrong_hashed_password: () => refused({ user: env("HASHED_USER"), pass: "wrong" }),
  refuse_wrong_hashed_token: () => refused(by_token("HASHED_TOKEN_PORT", "wrong")),
  refuse_no_credentials: () => refused(only({})),

  async publish_subscribe() {
    const [a, b] = await two();
    const sub = a.subscribe("greet.world");
    await a.flush();
    b.publish("greet.world", text.encode("hello"), { reply: "answer.here" });
    const [m] = await take(sub, 1);
    equal(text.decode(m.data), "hello", "payload");
    equal(m.subject, "greet.world", "subject");
    equal(m.reply, "answer.here", "reply");
  },

  async payload_bytes() {
    const [a, b] = await two();
    const payloads = [Empty, text.encode("\r\n"), text.encode("MSG a 1 5\r\nPING\r\n"), Uint8Array.from(Array(256).keys())];
    const sub = a.subscribe("bytes");
    await a.flush();
    for (const payload of payloads) b.publish("bytes", payload);
    const got = await take(sub, payloads.length);
    got.forEach((m, i) => check(Buffer.compare(m.data, payloads[i]) === 0, `payload ${i} differs`));
  },

  async wildcards() {
    const [a, b] = await two();
    const star = a.subscribe("wild.*.end");
    const rest = a.subscribe("wild.>");
    await a.flush();
    for (const subject of ["wild.1.end", "wild.1.2.end", "wild.2.end", "wild", "tame.1.end"]) b.publish(subject);
    await b.flush();
    await a.flush();
    const subjects = (messages) => messages.map((m) => m.subject).join(" ");
    equal(subjects(await take(star, 2)), "wild.1.end wild.2.end", "star");
    equal(subjects(await take(rest, 3)), "wild.1.end wild.1.2.end wild.2.end", "rest");
    equal(star.getReceived() + rest.getReceived(), 5, "messages in all");
  },

  async order() {
    const [a, b] = await two();
    const count = 20000;
    const sub = a.subscribe("order");
    await a.flush();
    for (let i = 0; i < count; i++) b.publish("order", text.encode(String(i)));
    await b.flush();
    (await take(sub, count)).forEach((m, i) => equal(text.decode(m.data), String(i), "message"));
  },

  async no_echo() {
    const a = await dial({ noEcho: true });
    const b = await dial();
    const sub = a.subscribe("echo");
    await a.flush();
    a.publish("echo", text.encode("own"));
    await a.flush();
    b.publish("echo", text.encode("other"));
    equal(text.decode((await take(sub, 1))[0].data), "other", "first payload");
  },

  verbose_pedantic: () => logs_in({ verbose: true, pedantic: true }),

  async queue_group() {
    const publisher = await dial();
    const all = publisher.subscribe("work");
    await publisher.flush();
    const members = [];
    for (let i = 0; i < 3; i++) {
      const nc = await dial();
      const got = [];
      nc.subscribe("work", { queue: "workers", callback: (_, m) => got.push(text.decode(m.data)) });
      await nc.flush();
      members.push({ nc, got });
    }
    for (let i = 0; i < 300; i++) publisher.publish("work", text.encode(String(i)));
    await publisher.flush();
    await take(all, 300);
    for (const { nc } of members) await nc.flush();
    const got = members.flatMap((member) => member.got);
    equal(got.length, 300, "messages to the group");
    equal(new Set(got).size, 300, "distinct messages");
    check(members.every((member) => member.got.length > 0), "a member got nothing");
  },

  async request_reply() {
    const [a, b] = await two();
    a.subscribe("service", { callback: (_, m) => m.respond(text.encode("re:" + text.decode(m.data))) });
    await a.flush();
    for (let i = 0; i < 100; i++) {
      const m = await b.request("service", text.encode(String(i)), { timeout: 10000 });
      equal(text.decode(m.data), `re:${i}`, "answer");
    }
    const wanted = Array.from(Array(50).keys());
    const answers = await Promise.all(wanted.map((i) => b.request("service", text.encode(`c${i}`), { timeout: 10000 })));
    answers.forEach((m, i) => equal(text.decode(m.data), `re:c${i}`, "concurrent answer"));
  },

  async no_responders() {
    const nc = await dial();
    await expect_error(nc.request("nobody.listens", Empty, { timeout: 10000 }), ErrorCode.NoResponders);
  },

  async headers() {
    const [a, b] = await two();
    a.subscribe("headed", {
      callback: (_, m) => {
        const back = headers();
        back.append("Answer", m.headers.values("Many").join("+"));
        back.append("Empty", "");
        m.respond(m.data, { headers: back });
      },
    });
    await a.flush();
    const there = headers();
    there.append("Many", "one");
    there.append("Many", "two: three");
    const m = await b.request("headed", text.encode("body"), { timeout: 10000, headers: there });
    equal(m.headers.get("Answer"), "one+two: three", "header");
    check(m.headers.has("Empty"), "no empty header");
    equal(text.decode(m.data), "body", "payload");
  },

  async unsubscribe() {
    const [a, b] = await two();
    const sub = a.subscribe("leave");
    await a.flush();
    sub.unsubscribe();
    await a.flush();
    await expect_error(b.request("leave", Empty, { timeout: 10000 }), ErrorCode.NoResponders);
  },

  // The client counts too; that nobody answers afterwards shows that the server does.
  async unsubscribe_max() {
    const [a, b] = await two();
    const sub = a.subscribe("some");
    sub.unsubscribe(5);
    await a.flush();
    for (let i = 0; i < 10; i++) b.publish("some", text.encode(String(i)));
    await b.flush();
    await take(sub, 5);
    await expect_error(b.request("some", Empty, { timeout: 10000 }), ErrorCode.NoResponders);
  },

  async drain() {
    const [a, b] = await two();
    let got = 0;
    a.subscribe("drained", { callback: () => got++ });
    await a.flush();
    for (let i = 0; i < 1000; i++) b.publish("drained", text.encode(String(i)));
    await b.flush();
    await a.drain();
    check(a.isClosed(), "not closed");
    equal(got, 1000, "messages before the end");
    await expect_error(b.request("drained", Empty, { timeout: 10000 }), ErrorCode.NoResponders);
  },

  async large_payload() {
    const [a, b] = await two();
    const payload = Buffer.alloc(512 * 1024);
    for (let i = 0; i < payload.length; i++) payload[i] = (i * 7) & 255;
    const sub = a.subscribe("large");
    await a.flush();
    for (let i = 0; i < 5; i++) b.publish("large", payload);
    for (const m of await take(sub, 5)) check(payload.equals(m.data), "payload differs");
  },

  async payload_above_max() {
    const nc = await dial();
    let error;
    try {
      nc.publish("huge", new Uint8Array(nc.info.max_payload + 1));
    } catch (caught) {
      error = caught;
    }
    equal(error && error.code, ErrorCode.MaxPayloadExceeded, "error");
    await nc.flush();
  },

  async many_connections() {
    const count = 50;
    const all = await Promise.all(Array.from(Array(count), () => dial()));
    const subs = all.map((nc, i) => [nc.subscribe(`ring.${i}`), nc.subscribe("ring.all")]);
    await Promise.all(all.map((nc) => nc.flush()));
    all.forEach((nc, i) => nc.publish(`ring.${(i + 1) % count}`, text.encode(String(i))));
    all[0].publish("ring.all", text.encode("everybody"));
    for (let i = 0; i < count; i++) {
      equal(text.decode((await take(subs[i][0], 1))[0].data), String((i + count - 1) % count), "neighbour");
      equal(text.decode((await take(subs[i][1], 1))[0].data), "everybody", "broadcast");
    }
  },

  async reconnect() {
    const nc = await dial({ reconnect: true, reconnectTimeWait: 50, maxReconnectAttempts: 600 });
    const sub = nc.subscribe("alive.*");
    await nc.flush();
    const back = (async () => {
      for await (const status of nc.status()) if (status.type === Events.Reconnect) return;
    })();
    console.log("restart users");
    await deadline(back, 40000);
    nc.publish("alive.again", text.encode("yes"));
    equal(text.decode((await take(sub, 1))[0].data), "yes", "payload");
  },

  connect_nkey: () => logs_in(by_nkey("NKEY_SEED")),
  refuse_unknown_nkey: () => refused(by_nkey("UNKNOWN_NKEY_SEED")),

  async permissions_publish() {
    const [limited, witness] = [await dial(as("limited")), await dial(as(env("USER")))];
    const seen = witness.subscribe("*.said");
    await witness.flush();
    const refusal = violation(limited);
    limited.publish("closed.said");
    equal(await refusal, "publish closed.said", "refused");
    limited.publish("open.said");
    equal((await take(seen, 1))[0].subject, "open.said", "subject");
  },

  async permissions_subscribe() {
    const [limited, speaker] = [await dial(as("limited")), await dial(as(env("USER")))];
    const refusal = violation(limited);
    const all = limited.subscribe("open.>");
    const secret = take(limited.subscribe("open.secret"), 1);
    equal(await refusal, "subscription open.secret", "refused");
    await expect_error(secret, ErrorCode.PermissionsViolation);
    await limited.flush();
    speaker.publish("open.secret");
    speaker.publish("open.said");
    equal((await take(all, 1))[0].subject, "open.said", "subject");
  },

  async allow_responses() {
    const [responder, asker] = [await dial(as("responder")), await dial(as(env("USER")))];
    responder.subscribe("help", {
      callback: (_, m) => {
        m.respond(text.encode("first"));
        m.respond(text.encode("second"));
      },
    });
    await responder.flush();
    for (let i = 0; i < 2; i++) {
      const refusal = violation(responder);
      equal(text.decode((await asker.request("help", Empty, { timeout: 20000 })).data), "first", "answer");
      check((await refusal).startsWith("publish _INBOX."), "another refusal");
    }
  },

  async service_import() {
    const [service, importer] = [await dial(as(env("USER"))), await dial(as("importer"))];
    service.subscribe("time", { callback: (_, m) => m.respond(text.encode("re:" + text.decode(m.data))) });
    await service.flush();
    for (let i = 0; i < 10; i++) {
      const m = await importer.request("own.time", text.encode(String(i)), { timeout: 20000 });
      equal(text.decode(m.data), `re:${i}`, "answer");
    }
    await expect_error(importer.request("time", Empty, { timeout: 20000 }), ErrorCode.NoResponders);
  },

  async service_import_no_responders() {
    const importer = await dial(as("importer"));
    await expect_error(importer.request("own.nothing", Empty, { timeout: 20000 }), ErrorCode.NoResponders);
  },

  async stream_import() {
    const [source, importer] = [await dial(as(env("USER"))), await dial(as("importer"))];
    const imported = importer.subscribe("from_own.news.>");
    const own = importer.subscribe("news.>");
    await importer.flush();
    source.publish("news.today", text.encode("hello"), { reply: "answer.here" });
    const [m] = await take(imported, 1);
    equal(`${m.subject} ${m.reply} ${text.decode(m.data)}`, "from_own.news.today answer.here hello", "message");
    importer.publish("news.own");
    equal((await take(own, 1))[0].subject, "news.own", "first subject of the own account");
  },

  // The client comes back by itself, with the password that it is given when it asks again.
  async reload_password() {
    let password = env("PASSWORD");
    const authenticator = () => ({ user: "carol", pass: password });
    const carol = only({ servers: at("RIGHTS_PORT"), authenticator });
    const changed = await dial({ ...carol, reconnect: true, reconnectTimeWait: 50, maxReconnectAttempts: 600 });
    const other = await dial(as(env("USER")));
    const sub = other.subscribe("still.here");
    await other.flush();
    const types = [];
    const back = (async () => {
      for await (const { type } of changed.status()) {
        types.push(type);
        if (type === Events.Reconnect) return;
      }
    })();
    password = env("NEXT_PASSWORD");
    console.log("reload rights");
    await deadline(back, 40000);
    check(types.includes(Events.Error), "closed without a word");
    changed.publish("still.here", text.encode("yes"));
    equal(text.decode((await take(sub, 1))[0].data), "yes", "payload");
    password = env("PASSWORD");
    await refused(carol);
  },

  async token_rotation() {
    const old = await dial(by_token("TOKEN_PORT", env("TOKEN")));
    const rotated = await dial(by_token("TOKEN_PORT", env("NEXT_TOKEN")));
    const sub = rotated.subscribe("still.here");
    await rotated.flush();
    console.log("reload token");
    equal((await deadline(old.closed(), 40000))?.code, ErrorCode.AuthorizationViolation, "why it was closed");
    await refused(by_token("TOKEN_PORT", env("TOKEN")));
    const late = await dial(by_token("TOKEN_PORT", env("NEXT_TOKEN")));
    late.publish("still.here", text.encode("yes"));
    equal(text.decode((await take(sub, 1))[0].data), "yes", "payload");
  },

  tls_user_password: () => logs_in(with_tls("TLS_PORT", "ca", null, alice)),
  tls_refuse_wrong_password: () => refused(with_tls("TLS_PORT", "ca", null, { ...alice, pass: "wrong" })),

  tls_refuse_unknown_authority: () =>
    expect_error(dial(with_tls("TLS_PORT", "next_ca", null, alice)), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),

  async tls_messages() {
    const a = await dial(with_tls("TLS_PORT", "ca", null, alice));
    const b = await dial(with_tls("TLS_PORT", "ca", null, alice));
    const count = 20000;
    const payload = Buffer.alloc(512 * 1024);
    for (let i = 0; i < payload.length; i++) payload[i] = (i * 7) & 255;
    const sub = a.subscribe("secret");
    await a.flush();
    for (let i = 0; i < count; i++) b.publish("secret", text.encode(String(i)));
    for (let i = 0; i < 5; i++) b.publish("secret", payload);
    const got = await take(sub, count + 5);
    got.splice(0, count).forEach((m, i) => equal(text.decode(m.data), String(i), "message"));
    for (const m of got) check(payload.equals(m.data), "payload differs");
  },

  mtls_verify: () => logs_in(with_tls("VERIFYING_PORT", "ca", "unmapped", alice)),
  mtls_refuse_no_certificate: () => no_tls(with_tls("VERIFYING_PORT", "ca", null, alice)),
  mtls_refuse_unknown_authority: () => no_tls(with_tls("VERIFYING_PORT", "ca", "stranger", alice)),

  // The user's rights are what shows which one the certificate stands for.
  async mtls_map_email() {
    const nc = await dial(with_tls("MAPPING_PORT", "ca", "mapped"));
    const refusal = violation(nc);
    const sub = nc.subscribe("open.>");
    nc.publish("closed.said");
    equal(await refusal, "publish closed.said", "refused");
    nc.publish("open.said");
    equal((await take(sub, 1))[0].subject, "open.said", "subject");
  },

  async mtls_map_distinguished_name() {
    const device = await dial(with_tls("MAPPING_PORT", "ca", "device"));
    const other = await dial(with_tls("MAPPING_PORT", "ca", "mapped"));
    const sub = device.subscribe(">");
    await device.flush();
    other.publish("open.said"); // in another account
    await other.flush();
    device.publish("own.said");
    equal((await take(sub, 1))[0].subject, "own.said", "subject");
  },

  mtls_refuse_unmapped: () => refused(with_tls("MAPPING_PORT", "ca", "unmapped")),

  // The client that the reload closes comes back by itself, to the new certificate and with the new password. Who trusts
  // only the new authority gets in then, who trusts only the old one no more; who was in stays.
  async reload_certificate() {
    let password = env("PASSWORD");
    const authenticator = () => ({ user: "carol", pass: password });
    const carol = with_tls("TLS_PORT", "both_cas", null, { authenticator });
    const changed = await dial({ ...carol, reconnect: true, reconnectTimeWait: 50, maxReconnectAttempts: 600 });
    const other = await dial(with_tls("TLS_PORT", "ca", null, alice));
    const sub = other.subscribe("still.here");
    await other.flush();
    const back = (async () => {
      for await (const { type } of changed.status()) if (type === Events.Reconnect) return;
    })();
    password = env("NEXT_PASSWORD");
    console.log("reload tls");
    await deadline(back, 40000);
    changed.publish("still.here", text.encode("yes"));
    await no_tls(with_tls("TLS_PORT", "ca", null, alice));
    const late = await dial(with_tls("TLS_PORT", "next_ca", null, alice));
    await changed.flush();
    late.publish("still.here", text.encode("too"));
    const payloads = (await take(sub, 2)).map((m) => text.decode(m.data));
    equal(payloads.join(" "), "yes too", "payloads");
  },
};

function deadline(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("deadline passed")), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function main() {
  let failed = 0;
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      await deadline(scenario(), 60000);
      console.log(`ok ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok ${name}: ${error.message}`);
    }
    await Promise.all(open.splice(0).map((nc) => nc.close()));
  }
  process.exit(failed ? 1 : 0);
}

main();
