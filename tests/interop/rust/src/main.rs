//! The scenarios of the interoperability tests with async-nats; ../../README.md says what each one proves.

use async_nats::{
    Auth, Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, PublishErrorKind, RequestErrorKind, ServerAddr,
    ServerError, Subscriber,
};
use futures_util::{future::join_all, FutureExt, StreamExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{collections::HashSet, env, fmt::Debug, fs, future::Future, time::Duration};
use tokio::{sync::mpsc, time::timeout};

const DEADLINE: Duration = Duration::from_secs(20);

// A scenario fails with the text that says why.
type Outcome = Result<(), String>;

fn var(name: &str) -> String {
    env::var(format!("NUNCIO_{name}")).unwrap_or_default()
}

fn at(port: &str) -> String {
    format!("nats://{}:{}", var("HOST"), var(port))
}

fn with_userinfo(port: &str, userinfo: &str) -> String {
    format!("nats://{userinfo}@{}:{}", var("HOST"), var(port))
}

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}

fn equal<T: PartialEq + Debug>(got: T, wanted: T, what: &str) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{what}: {got:?} instead of {wanted:?}"))
}

fn options_as(user: &str, password: &str) -> ConnectOptions {
    ConnectOptions::with_user_and_password(user.into(), password.into())
}

fn usual_options() -> ConnectOptions {
    options_as(&var("USER"), &var("PASSWORD"))
}

async fn dial() -> Result<Client, String> {
    usual_options().connect(at("USERS_PORT")).await.map_err(text)
}

/// Returns when the server has done all that was asked of it on this connection: a request is answered in order. (The
/// library's flush only says that the bytes are written.)
async fn settle(nc: &Client) -> Outcome {
    no_answer(nc, "nobody.listens").await
}

async fn no_answer(nc: &Client, subject: &str) -> Outcome {
    match timeout(DEADLINE, nc.request(subject.to_string(), "".into())).await.map_err(text)? {
        Ok(_) => Err(format!("somebody answers on {subject}")),
        Err(error) => equal(error.kind(), RequestErrorKind::NoResponders, "error"),
    }
}

async fn subscribe(nc: &Client, subject: &str) -> Result<Subscriber, String> {
    let sub = nc.subscribe(subject.to_string()).await.map_err(text)?;
    settle(nc).await?;
    Ok(sub)
}

async fn publish(nc: &Client, subject: &str, payload: impl Into<Vec<u8>>) -> Outcome {
    let payload: Vec<u8> = payload.into();
    nc.publish(subject.to_string(), payload.into()).await.map_err(text)
}

async fn next(sub: &mut Subscriber) -> Result<async_nats::Message, String> {
    timeout(DEADLINE, sub.next()).await.map_err(text)?.ok_or("the subscription has ended".into())
}

async fn next_is(sub: &mut Subscriber, payload: impl AsRef<[u8]>) -> Outcome {
    equal(next(sub).await?.payload.as_ref(), payload.as_ref(), "payload")
}

async fn next_subjects_are(sub: &mut Subscriber, subjects: &[&str]) -> Outcome {
    for subject in subjects {
        equal(next(sub).await?.subject.as_str(), subject, "subject")?;
    }
    Ok(())
}

/// Only a login that gets an answer from the server over the same connection counts.
async fn logs_in(options: ConnectOptions, server: String) -> Outcome {
    let nc = options.connect(server).await.map_err(text)?;
    let mut sub = subscribe(&nc, "login").await?;
    publish(&nc, "login", "hello").await?;
    next_is(&mut sub, "hello").await
}

async fn refused(options: ConnectOptions, server: String) -> Outcome {
    match options.connect(server).await {
        Ok(_) => Err("let in".into()),
        Err(error) => equal(error.kind(), ConnectErrorKind::AuthorizationViolation, "error"),
    }
}

fn by_token(token: &str) -> ConnectOptions {
    ConnectOptions::with_token(token.into())
}

/// The library reads the userinfo of a URL and leaves it to its users to log in with it.
fn options_from(url: &str) -> ConnectOptions {
    let address: ServerAddr = url.parse().expect("a server's URL");
    match (address.username(), address.password()) {
        (Some(user), Some(password)) => options_as(user, password),
        (Some(token), None) => by_token(token),
        _ => ConnectOptions::new(),
    }
}

async fn publish_subscribe() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "greet.world").await?;
    b.publish_with_reply("greet.world", "answer.here", "hello".into()).await.map_err(text)?;
    let message = next(&mut sub).await?;
    equal(message.subject.as_str(), "greet.world", "subject")?;
    equal(message.reply.as_deref(), Some("answer.here"), "reply")?;
    equal(message.payload.as_ref(), b"hello", "payload")
}

async fn payload_bytes() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let payloads = [vec![], b"\r\n".to_vec(), b"MSG a 1 5\r\nPING\r\n".to_vec(), (0..=255).collect()];
    let mut sub = subscribe(&a, "bytes").await?;
    for payload in &payloads {
        publish(&b, "bytes", payload.clone()).await?;
    }
    for payload in &payloads {
        next_is(&mut sub, payload).await?;
    }
    Ok(())
}

async fn wildcards() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut star = subscribe(&a, "wild.*.end").await?;
    let mut rest = subscribe(&a, "wild.>").await?;
    for subject in ["wild.1.end", "wild.1.2.end", "wild.2.end", "wild", "tame.1.end", "wild.last.end"] {
        publish(&b, subject, "").await?;
    }
    next_subjects_are(&mut star, &["wild.1.end", "wild.2.end", "wild.last.end"]).await?;
    next_subjects_are(&mut rest, &["wild.1.end", "wild.1.2.end", "wild.2.end", "wild.last.end"]).await
}

async fn order() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "order").await?;
    let publisher = tokio::spawn(async move {
        for i in 0..20000 {
            publish(&b, "order", i.to_string()).await?;
        }
        settle(&b).await
    });
    for i in 0..20000 {
        next_is(&mut sub, i.to_string()).await?;
    }
    publisher.await.map_err(text)?
}

async fn no_echo() -> Outcome {
    let a = usual_options().no_echo().connect(at("USERS_PORT")).await.map_err(text)?;
    let b = dial().await?;
    let mut sub = subscribe(&a, "echo").await?;
    publish(&a, "echo", "own").await?;
    settle(&a).await?;
    publish(&b, "echo", "other").await?;
    next_is(&mut sub, "other").await
}

async fn queue_group() -> Outcome {
    const COUNT: usize = 300;
    let publisher = dial().await?;
    let mut all = subscribe(&publisher, "work").await?;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let mut members = Vec::new();
    for member in 0..3 {
        let nc = dial().await?;
        let mut sub = nc.queue_subscribe("work", "workers".into()).await.map_err(text)?;
        settle(&nc).await?;
        members.push(nc);
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(message) = sub.next().await {
                let _ = sender.send((member, message.payload));
            }
        });
    }
    for i in 0..COUNT {
        publish(&publisher, "work", i.to_string()).await?;
    }
    for i in 0..COUNT {
        next_is(&mut all, i.to_string()).await?;
    }
    let mut who = HashSet::new();
    let mut payloads = HashSet::new();
    for _ in 0..COUNT {
        let (member, payload) = timeout(DEADLINE, receiver.recv()).await.map_err(text)?.ok_or("no members left")?;
        who.insert(member);
        payloads.insert(payload);
    }
    for nc in &members {
        settle(nc).await?;
    }
    equal(payloads.len(), COUNT, "distinct messages to the group")?;
    equal(receiver.try_recv().is_err(), true, "no more messages than published")?;
    equal(who.len(), 3, "members that got something")
}

async fn request_reply() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "service").await?;
    tokio::spawn(async move {
        while let Some(message) = sub.next().await {
            let answer = [b"re:", message.payload.as_ref()].concat();
            let _ = a.publish(message.reply.unwrap(), answer.into()).await;
        }
    });
    for i in 0..100 {
        let message = b.request("service", i.to_string().into()).await.map_err(text)?;
        equal(message.payload.as_ref(), format!("re:{i}").as_bytes(), "answer")?;
    }
    let concurrent = (0..50).map(|i| b.request("service", format!("c{i}").into()));
    for (i, message) in join_all(concurrent).await.into_iter().enumerate() {
        equal(message.map_err(text)?.payload.as_ref(), format!("re:c{i}").as_bytes(), "concurrent answer")?;
    }
    Ok(())
}

async fn headers() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "headed").await?;
    tokio::spawn(async move {
        while let Some(message) = sub.next().await {
            let there = message.headers.unwrap_or_default();
            let values: Vec<&str> = there.get_all("Many").map(|value| value.as_str()).collect();
            let mut back = HeaderMap::new();
            back.insert("Answer", values.join("+").as_str());
            back.insert("Empty", "");
            let _ = a.publish_with_headers(message.reply.unwrap(), back, message.payload).await;
        }
    });
    let mut there = HeaderMap::new();
    there.append("Many", "one");
    there.append("Many", "two: three");
    let message = b.request_with_headers("headed", there, "body".into()).await.map_err(text)?;
    let back = message.headers.ok_or("no headers")?;
    equal(back.get("Answer").map(|value| value.as_str()), Some("one+two: three"), "header")?;
    equal(back.get("Empty").map(|value| value.as_str()), Some(""), "empty header")?;
    equal(message.payload.as_ref(), b"body", "payload")
}

async fn unsubscribe() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "leave").await?;
    sub.unsubscribe().await.map_err(text)?;
    settle(&a).await?;
    no_answer(&b, "leave").await
}

/// The client counts too; that nobody answers afterwards shows that the server does.
async fn unsubscribe_max() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "some").await?;
    sub.unsubscribe_after(5).await.map_err(text)?;
    settle(&a).await?;
    for i in 0..10 {
        publish(&b, "some", i.to_string()).await?;
    }
    for i in 0..5 {
        next_is(&mut sub, i.to_string()).await?;
    }
    equal(timeout(DEADLINE, sub.next()).await.map_err(text)?.is_none(), true, "end of the subscription")?;
    no_answer(&b, "some").await
}

async fn drain() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let mut sub = subscribe(&a, "drained").await?;
    for i in 0..1000 {
        publish(&b, "drained", i.to_string()).await?;
    }
    settle(&b).await?;
    a.drain().await.map_err(text)?;
    for i in 0..1000 {
        next_is(&mut sub, i.to_string()).await?;
    }
    equal(timeout(DEADLINE, sub.next()).await.map_err(text)?.is_none(), true, "end of the subscription")?;
    no_answer(&b, "drained").await
}

async fn large_payload() -> Outcome {
    let (a, b) = (dial().await?, dial().await?);
    let payload: Vec<u8> = (0..512 * 1024).map(|i| (i * 7) as u8).collect();
    let mut sub = subscribe(&a, "large").await?;
    for _ in 0..5 {
        publish(&b, "large", payload.clone()).await?;
    }
    for _ in 0..5 {
        equal(next(&mut sub).await?.payload == payload, true, "same payload")?;
    }
    Ok(())
}

async fn payload_above_max() -> Outcome {
    let nc = dial().await?;
    match nc.publish("huge", vec![0; nc.max_payload() + 1].into()).await {
        Ok(()) => Err("no error".into()),
        Err(error) => equal(error.kind(), PublishErrorKind::MaxPayloadExceeded, "error"),
    }?;
    settle(&nc).await
}

async fn many_connections() -> Outcome {
    const COUNT: usize = 50;
    let mut all = Vec::new();
    for nc in join_all((0..COUNT).map(|_| dial())).await {
        all.push(nc?);
    }
    let (mut own, mut common) = (Vec::new(), Vec::new());
    for (i, nc) in all.iter().enumerate() {
        own.push(subscribe(nc, &format!("ring.{i}")).await?);
        common.push(subscribe(nc, "ring.all").await?);
    }
    for (i, nc) in all.iter().enumerate() {
        publish(nc, &format!("ring.{}", (i + 1) % COUNT), i.to_string()).await?;
    }
    publish(&all[0], "ring.all", "everybody").await?;
    for i in 0..COUNT {
        next_is(&mut own[i], ((i + COUNT - 1) % COUNT).to_string()).await?;
        next_is(&mut common[i], "everybody").await?;
    }
    Ok(())
}

type Events = mpsc::UnboundedReceiver<Event>;

/// A connection that comes back by itself, and what it says of itself meanwhile.
async fn dial_with_events(options: ConnectOptions, server: String) -> Result<(Client, Events), String> {
    let (sender, events) = mpsc::unbounded_channel();
    let options = options.reconnect_delay_callback(|_| Duration::from_millis(50)).event_callback(move |event| {
        let _ = sender.send(event);
        async {}
    });
    Ok((options.connect(server).await.map_err(text)?, events))
}

/// Skips events up to the wanted one.
async fn event(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Outcome {
    loop {
        let event = timeout(2 * DEADLINE, events.recv()).await.map_err(text)?.ok_or("no more events")?;
        if wanted(&event) {
            return Ok(());
        }
    }
}

async fn reconnect() -> Outcome {
    let (nc, mut events) = dial_with_events(usual_options(), at("USERS_PORT")).await?;
    let mut sub = subscribe(&nc, "alive.*").await?;
    println!("restart users");
    event(&mut events, |event| *event == Event::Disconnected).await?;
    event(&mut events, |event| *event == Event::Connected).await?;
    publish(&nc, "alive.again", "yes").await?;
    next_is(&mut sub, "yes").await
}

fn by_nkey(seed: &str) -> ConnectOptions {
    ConnectOptions::with_nkey(fs::read_to_string(var(seed)).unwrap_or_default().trim().into())
}

/// A user of the server where they differ in their rights.
async fn dial_as(user: &str) -> Result<Client, String> {
    options_as(user, &var("PASSWORD")).connect(at("RIGHTS_PORT")).await.map_err(text)
}

async fn dial_as_with_events(user: &str) -> Result<(Client, Events), String> {
    dial_with_events(options_as(user, &var("PASSWORD")), at("RIGHTS_PORT")).await
}

/// Rights that are missing are told by an event only.
async fn violation(events: &mut Events, action: &str) -> Outcome {
    let wanted = format!("Permissions Violation for {action}");
    event(events, |event| matches!(event, Event::ServerError(ServerError::Other(said)) if said.starts_with(&wanted))).await
}

async fn permissions_publish() -> Outcome {
    let (limited, mut events) = dial_as_with_events("limited").await?;
    let witness = dial_as(&var("USER")).await?;
    let mut seen = subscribe(&witness, "*.said").await?;
    publish(&limited, "closed.said", "").await?;
    violation(&mut events, r#"Publish to "closed.said""#).await?;
    publish(&limited, "open.said", "").await?;
    next_subjects_are(&mut seen, &["open.said"]).await
}

async fn permissions_subscribe() -> Outcome {
    let (limited, mut events) = dial_as_with_events("limited").await?;
    let speaker = dial_as(&var("USER")).await?;
    let mut all = subscribe(&limited, "open.>").await?;
    let mut secret = subscribe(&limited, "open.secret").await?;
    violation(&mut events, r#"Subscription to "open.secret""#).await?;
    publish(&speaker, "open.secret", "").await?;
    publish(&speaker, "open.said", "").await?;
    next_subjects_are(&mut all, &["open.said"]).await?;
    equal(secret.next().now_or_never().is_none(), true, "no secret message")
}

async fn allow_responses() -> Outcome {
    let (responder, mut events) = dial_as_with_events("responder").await?;
    let asker = dial_as(&var("USER")).await?;
    let mut sub = subscribe(&responder, "help").await?;
    tokio::spawn(async move {
        while let Some(message) = sub.next().await {
            let reply = message.reply.unwrap();
            let _ = responder.publish(reply.clone(), "first".into()).await;
            let _ = responder.publish(reply, "second".into()).await;
        }
    });
    for _ in 0..2 {
        let message = asker.request("help", "".into()).await.map_err(text)?;
        equal(message.payload.as_ref(), b"first", "answer")?;
        violation(&mut events, r#"Publish to "_INBOX."#).await?;
    }
    Ok(())
}

async fn service_import() -> Outcome {
    let (service, importer) = (dial_as(&var("USER")).await?, dial_as("importer").await?);
    let mut sub = subscribe(&service, "time").await?;
    tokio::spawn(async move {
        while let Some(message) = sub.next().await {
            let answer = [b"re:", message.payload.as_ref()].concat();
            let _ = service.publish(message.reply.unwrap(), answer.into()).await;
        }
    });
    for i in 0..10 {
        let message = importer.request("own.time", i.to_string().into()).await.map_err(text)?;
        equal(message.payload.as_ref(), format!("re:{i}").as_bytes(), "answer")?;
    }
    no_answer(&importer, "time").await
}

async fn stream_import() -> Outcome {
    let (source, importer) = (dial_as(&var("USER")).await?, dial_as("importer").await?);
    let mut imported = subscribe(&importer, "from_own.news.>").await?;
    let mut own = subscribe(&importer, "news.>").await?;
    source.publish_with_reply("news.today", "answer.here", "hello".into()).await.map_err(text)?;
    let message = next(&mut imported).await?;
    equal(message.subject.as_str(), "from_own.news.today", "subject")?;
    equal(message.reply.as_deref(), Some("answer.here"), "reply")?;
    equal(message.payload.as_ref(), b"hello", "payload")?;
    publish(&importer, "news.own", "").await?;
    next_subjects_are(&mut own, &["news.own"]).await
}

/// The second time it is asked for credentials it has the new ones.
fn carol_by_turns() -> ConnectOptions {
    let is_first = AtomicBool::new(true);
    ConnectOptions::with_auth_callback(move |_| {
        let password = if is_first.swap(false, Ordering::Relaxed) { "PASSWORD" } else { "NEXT_PASSWORD" };
        async move {
            let mut auth = Auth::new();
            (auth.username, auth.password) = (Some("carol".into()), Some(var(password)));
            Ok(auth)
        }
    })
}

/// The client comes back by itself.
async fn reload_password() -> Outcome {
    let (changed, mut events) = dial_with_events(carol_by_turns(), at("RIGHTS_PORT")).await?;
    let other = dial_as(&var("USER")).await?;
    let mut sub = subscribe(&other, "still.here").await?;
    println!("reload rights");
    event(&mut events, |event| *event == Event::ServerError(ServerError::AuthorizationViolation)).await?;
    event(&mut events, |event| *event == Event::Connected).await?;
    publish(&changed, "still.here", "yes").await?;
    next_is(&mut sub, "yes").await?;
    refused(options_as("carol", &var("PASSWORD")), at("RIGHTS_PORT")).await
}

async fn token_rotation() -> Outcome {
    let (old, mut events) = dial_with_events(by_token(&var("TOKEN")).max_reconnects(1), at("TOKEN_PORT")).await?;
    let rotated = by_token(&var("NEXT_TOKEN")).connect(at("TOKEN_PORT")).await.map_err(text)?;
    let mut sub = subscribe(&rotated, "still.here").await?;
    println!("reload token");
    event(&mut events, |event| *event == Event::ServerError(ServerError::AuthorizationViolation)).await?;
    event(&mut events, |event| *event == Event::Disconnected).await?;
    drop(old);
    refused(by_token(&var("TOKEN")), at("TOKEN_PORT")).await?;
    let late = by_token(&var("NEXT_TOKEN")).connect(at("TOKEN_PORT")).await.map_err(text)?;
    publish(&late, "still.here", "yes").await?;
    next_is(&mut sub, "yes").await
}

/// With TLS, the server verified by `authority`; `own` is the client's certificate, if any.
fn with_tls(login: ConnectOptions, authority: &str, own: &str) -> ConnectOptions {
    let file = |name: &str, ending: &str| format!("{}/{name}.{ending}", var("CERTIFICATES")).into();
    let options = login.require_tls(true).add_root_certificates(file(authority, "pem"));
    if own.is_empty() {
        return options;
    }
    options.add_client_certificate(file(own, "pem"), file(own, "key"))
}

fn tls_at(port: &str) -> String {
    format!("tls://{}:{}", var("HOST"), var(port))
}

async fn dial_tls(port: &str, options: ConnectOptions) -> Result<Client, String> {
    options.connect(tls_at(port)).await.map_err(text)
}

/// Without a login that could be right or wrong.
async fn no_tls(port: &str, options: ConnectOptions) -> Outcome {
    match options.connect(tls_at(port)).await {
        Ok(_) => Err("let in".into()),
        Err(error) if error.kind() == ConnectErrorKind::AuthorizationViolation => Err(text(error)),
        Err(_) => Ok(()),
    }
}

async fn tls_refuse_unknown_authority() -> Outcome {
    match with_tls(usual_options(), "next_ca", "").connect(tls_at("TLS_PORT")).await {
        Ok(_) => Err("let in".into()),
        Err(error) if format!("{error:?}").contains("UnknownIssuer") => Ok(()),
        Err(error) => Err(text(error)),
    }
}

async fn tls_messages() -> Outcome {
    const COUNT: usize = 20000;
    let a = dial_tls("TLS_PORT", with_tls(usual_options().subscription_capacity(2 * COUNT), "ca", "")).await?;
    let b = dial_tls("TLS_PORT", with_tls(usual_options(), "ca", "")).await?;
    let payload: Vec<u8> = (0..512 * 1024).map(|i| (i * 7) as u8).collect();
    let mut sub = subscribe(&a, "secret").await?;
    for i in 0..COUNT {
        publish(&b, "secret", i.to_string()).await?;
    }
    for _ in 0..5 {
        publish(&b, "secret", payload.clone()).await?;
    }
    for i in 0..COUNT {
        next_is(&mut sub, i.to_string()).await?;
    }
    for _ in 0..5 {
        equal(next(&mut sub).await?.payload == payload, true, "large payload")?;
    }
    Ok(())
}

/// The user's rights are what shows which one the certificate stands for.
async fn mtls_map_email() -> Outcome {
    let options = with_tls(ConnectOptions::new(), "ca", "mapped");
    let (nc, mut events) = dial_with_events(options, tls_at("MAPPING_PORT")).await?;
    let mut sub = subscribe(&nc, "open.>").await?;
    publish(&nc, "closed.said", "").await?;
    violation(&mut events, r#"Publish to "closed.said""#).await?;
    publish(&nc, "open.said", "").await?;
    next_subjects_are(&mut sub, &["open.said"]).await
}

async fn mtls_map_distinguished_name() -> Outcome {
    let device = dial_tls("MAPPING_PORT", with_tls(ConnectOptions::new(), "ca", "device")).await?;
    let other = dial_tls("MAPPING_PORT", with_tls(ConnectOptions::new(), "ca", "mapped")).await?;
    let mut sub = subscribe(&device, "*.said").await?;
    publish(&other, "open.said", "").await?; // in another account
    settle(&other).await?;
    publish(&device, "own.said", "").await?;
    next_subjects_are(&mut sub, &["own.said"]).await
}

/// The client that the reload closes comes back by itself, to the new certificate and with the new password. Who trusts
/// only the new authority gets in then, who trusts only the old one no more; who was in stays.
async fn reload_certificate() -> Outcome {
    let carol = with_tls(carol_by_turns(), "both_cas", "");
    let (changed, mut events) = dial_with_events(carol, tls_at("TLS_PORT")).await?;
    let other = dial_tls("TLS_PORT", with_tls(usual_options(), "ca", "")).await?;
    let mut sub = subscribe(&other, "still.here").await?;
    println!("reload tls");
    event(&mut events, |event| *event == Event::Disconnected).await?;
    event(&mut events, |event| *event == Event::Connected).await?;
    publish(&changed, "still.here", "yes").await?;
    next_is(&mut sub, "yes").await?;
    no_tls("TLS_PORT", with_tls(usual_options(), "ca", "")).await?;
    let late = dial_tls("TLS_PORT", with_tls(usual_options(), "next_ca", "")).await?;
    publish(&late, "still.here", "too").await?;
    next_is(&mut sub, "too").await
}

async fn report(name: &str, scenario: impl Future<Output = Outcome>) -> bool {
    match timeout(3 * DEADLINE, scenario).await.unwrap_or(Err("deadline passed".into())) {
        Ok(()) => println!("ok {name}"),
        Err(why) => {
            println!("not ok {name}: {why}");
            return false;
        }
    }
    true
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut good = true;
    macro_rules! run {
        ($name:ident, $scenario:expr) => {
            good &= report(stringify!($name), $scenario).await
        };
        ($name:ident) => {
            run!($name, $name())
        };
    }
    let (users, tokens, hashed_tokens) = (at("USERS_PORT"), at("TOKEN_PORT"), at("HASHED_TOKEN_PORT"));
    let (user, password, token) = (var("USER"), var("PASSWORD"), var("TOKEN"));
    let (hashed_user, hashed_password) = (var("HASHED_USER"), var("HASHED_PASSWORD"));
    let (user_url, token_url) =
        (with_userinfo("USERS_PORT", &format!("{user}:{password}")), with_userinfo("TOKEN_PORT", &token));

    run!(connect_user_password, logs_in(usual_options(), users.clone()));
    run!(connect_odd_characters, logs_in(options_as(&var("ODD_USER"), &var("ODD_PASSWORD")), users.clone()));
    run!(connect_token, logs_in(by_token(&token), tokens.clone()));
    run!(connect_url_user_password, logs_in(options_from(&user_url), user_url));
    run!(connect_url_token, logs_in(options_from(&token_url), token_url));
    run!(connect_hashed_user, logs_in(options_as(&hashed_user, &hashed_password), users.clone()));
    run!(connect_hashed_token, logs_in(by_token(&var("HASHED_TOKEN")), hashed_tokens.clone()));
    run!(refuse_wrong_password, refused(options_as(&user, "wrong"), users.clone()));
    run!(refuse_unknown_user, refused(options_as("nobody", &password), users.clone()));
    run!(refuse_wrong_token, refused(by_token("wrong"), tokens));
    run!(refuse_wrong_hashed_password, refused(options_as(&hashed_user, "wrong"), users.clone()));
    run!(refuse_wrong_hashed_token, refused(by_token("wrong"), hashed_tokens));
    run!(refuse_no_credentials, refused(ConnectOptions::new(), users));
    run!(publish_subscribe);
    run!(payload_bytes);
    run!(wildcards);
    run!(order);
    run!(no_echo);
    println!("skip verbose_pedantic: the library has no such options");
    run!(queue_group);
    run!(request_reply);
    run!(no_responders, async { no_answer(&dial().await?, "nobody.listens").await });
    run!(headers);
    run!(unsubscribe);
    run!(unsubscribe_max);
    run!(drain);
    run!(large_payload);
    run!(payload_above_max);
    run!(many_connections);
    run!(reconnect);
    run!(connect_nkey, logs_in(by_nkey("NKEY_SEED"), at("RIGHTS_PORT")));
    run!(refuse_unknown_nkey, refused(by_nkey("UNKNOWN_NKEY_SEED"), at("RIGHTS_PORT")));
    run!(permissions_publish);
    run!(permissions_subscribe);
    run!(allow_responses);
    run!(service_import);
    run!(service_import_no_responders, async { no_answer(&dial_as("importer").await?, "own.nothing").await });
    run!(stream_import);
    run!(reload_password);
    run!(token_rotation);
    let wrong = options_as(&user, "wrong");
    run!(tls_user_password, logs_in(with_tls(usual_options(), "ca", ""), tls_at("TLS_PORT")));
    run!(tls_refuse_wrong_password, refused(with_tls(wrong, "ca", ""), tls_at("TLS_PORT")));
    run!(tls_refuse_unknown_authority);
    run!(tls_messages);
    run!(mtls_verify, logs_in(with_tls(usual_options(), "ca", "unmapped"), tls_at("VERIFYING_PORT")));
    run!(mtls_refuse_no_certificate, no_tls("VERIFYING_PORT", with_tls(usual_options(), "ca", "")));
    run!(mtls_refuse_unknown_authority, no_tls("VERIFYING_PORT", with_tls(usual_options(), "ca", "stranger")));
    run!(mtls_map_email);
    run!(mtls_map_distinguished_name);
    run!(mtls_refuse_unmapped, refused(with_tls(ConnectOptions::new(), "ca", "unmapped"), tls_at("MAPPING_PORT")));
    run!(reload_certificate);
    std::process::exit(if good { 0 } else { 1 });
}
