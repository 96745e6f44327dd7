// The scenarios of the interoperability tests with nats.go; ../README.md says what each one proves.
package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

const deadline = 20 * time.Second

func env(name string) string { return os.Getenv("NUNCIO_" + name) }

func at(port string) string { return "nats://" + env("HOST") + ":" + env(port) }

// A scenario fails by panicking with a failure; run turns it into a line.
type failure string

func check(holds bool, format string, arguments ...any) {
	if !holds {
		panic(failure(fmt.Sprintf(format, arguments...)))
	}
}

func must(err error) { check(err == nil, "%v", err) }

func equal[T comparable](got, wanted T, what string) {
	check(got == wanted, "%s: %#v instead of %#v", what, got, wanted)
}

func fails(err, wanted error) { check(errors.Is(err, wanted), "%v instead of %v", err, wanted) }

var open []*nats.Conn

func dialTo(where string, options ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect(where, append([]nats.Option{nats.NoReconnect(), nats.Timeout(deadline)}, options...)...)
	if err == nil {
		open = append(open, nc)
	}
	return nc, err
}

func dial(options ...nats.Option) *nats.Conn {
	nc, err := dialTo(at("USERS_PORT"), append([]nats.Option{nats.UserInfo(env("USER"), env("PASSWORD"))}, options...)...)
	must(err)
	return nc
}

// Logs into the server where users differ in their rights.
func dialAs(user, password string, options ...nats.Option) *nats.Conn {
	nc, err := dialTo(at("RIGHTS_PORT"), append([]nats.Option{nats.UserInfo(user, password)}, options...)...)
	must(err)
	return nc
}

func subscribe(nc *nats.Conn, subject string) *nats.Subscription {
	sub, err := nc.SubscribeSync(subject)
	must(err)
	must(nc.Flush())
	return sub
}

func publish(nc *nats.Conn, subject string, payload string) {
	must(nc.Publish(subject, []byte(payload)))
}

func next(sub *nats.Subscription) *nats.Msg {
	m, err := sub.NextMsg(deadline)
	must(err)
	return m
}

// Only a login that gets an answer from the server over the same connection counts.
func logsIn(where string, options ...nats.Option) {
	nc, err := dialTo(where, options...)
	must(err)
	sub := subscribe(nc, "login")
	publish(nc, "login", "hello")
	equal(string(next(sub).Data), "hello", "payload")
}

func refused(where string, options ...nats.Option) {
	_, err := dialTo(where, options...)
	fails(err, nats.ErrAuthorization)
}

func noAnswer(nc *nats.Conn, subject string) {
	_, err := nc.Request(subject, nil, deadline)
	fails(err, nats.ErrNoResponders)
}

func withUserinfo(port string, info *url.Userinfo) string {
	u, err := url.Parse(at(port))
	must(err)
	u.User = info
	return u.String()
}

func publishSubscribe() {
	a, b := dial(), dial()
	sub := subscribe(a, "greet.world")
	must(b.PublishRequest("greet.world", "answer.here", []byte("hello")))
	m := next(sub)
	equal(m.Subject+" "+m.Reply+" "+string(m.Data), "greet.world answer.here hello", "message")
}

func payloadBytes() {
	a, b := dial(), dial()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	sub := subscribe(a, "bytes")
	payloads := []string{"", "\r\n", "MSG a 1 5\r\nPING\r\n", string(every)}
	for _, payload := range payloads {
		publish(b, "bytes", payload)
	}
	for _, payload := range payloads {
		equal(string(next(sub).Data), payload, "payload")
	}
}

func wildcards() {
	a, b := dial(), dial()
	star, rest := subscribe(a, "wild.*.end"), subscribe(a, "wild.>")
	for _, subject := range strings.Fields("wild.1.end wild.1.2.end wild.2.end wild tame.1.end") {
		publish(b, subject, "")
	}
	must(b.Flush())
	must(a.Flush())
	for _, subject := range strings.Fields("wild.1.end wild.2.end") {
		equal(next(star).Subject, subject, "star")
	}
	for _, subject := range strings.Fields("wild.1.end wild.1.2.end wild.2.end") {
		equal(next(rest).Subject, subject, "rest")
	}
	surplus, _, err := star.Pending()
	must(err)
	more, _, err := rest.Pending()
	must(err)
	equal(surplus+more, 0, "surplus messages")
}

func order() {
	a, b := dial(), dial()
	const count = 20000
	sub := subscribe(a, "order")
	for i := 0; i < count; i++ {
		publish(b, "order", strconv.Itoa(i))
	}
	must(b.Flush())
	for i := 0; i < count; i++ {
		equal(string(next(sub).Data), strconv.Itoa(i), "message")
	}
}

func noEcho() {
	a, b := dial(nats.NoEcho()), dial()
	sub := subscribe(a, "echo")
	publish(a, "echo", "own")
	must(a.Flush())
	publish(b, "echo", "other")
	equal(string(next(sub).Data), "other", "first payload")
}

func verbosePedantic() {
	logsIn(at("USERS_PORT"), nats.UserInfo(env("USER"), env("PASSWORD")), func(options *nats.Options) error {
		options.Verbose, options.Pedantic = true, true
		return nil
	})
}

func queueGroup() {
	publisher := dial()
	all := subscribe(publisher, "work")
	var members []*nats.Conn
	var subs []*nats.Subscription
	for i := 0; i < 3; i++ {
		nc := dial()
		sub, err := nc.QueueSubscribeSync("work", "workers")
		must(err)
		must(nc.Flush())
		members, subs = append(members, nc), append(subs, sub)
	}
	for i := 0; i < 300; i++ {
		publish(publisher, "work", strconv.Itoa(i))
	}
	must(publisher.Flush())
	for i := 0; i < 300; i++ {
		next(all)
	}
	got := map[string]bool{}
	total := 0
	for i, sub := range subs {
		must(members[i].Flush())
		count, _, err := sub.Pending()
		must(err)
		check(count > 0, "a member got nothing")
		total += count
		for ; count > 0; count-- {
			got[string(next(sub).Data)] = true
		}
	}
	equal(total, 300, "messages to the group")
	equal(len(got), 300, "distinct messages")
}

func requestReply() {
	a, b := dial(), dial()
	_, err := a.Subscribe("service", func(m *nats.Msg) { _ = m.Respond(append([]byte("re:"), m.Data...)) })
	must(err)
	must(a.Flush())
	for i := 0; i < 100; i++ {
		m, err := b.Request("service", []byte(strconv.Itoa(i)), deadline)
		must(err)
		equal(string(m.Data), "re:"+strconv.Itoa(i), "answer")
	}
	var group sync.WaitGroup
	var good atomic.Int32
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(body string) {
			defer group.Done()
			if m, err := b.Request("service", []byte(body), deadline); err == nil && string(m.Data) == "re:"+body {
				good.Add(1)
			}
		}("c" + strconv.Itoa(i))
	}
	group.Wait()
	equal(good.Load(), 50, "concurrent answers")
}

func headers() {
	a, b := dial(), dial()
	_, err := a.Subscribe("headed", func(m *nats.Msg) {
		back := nats.NewMsg(m.Reply)
		back.Data = m.Data
		back.Header.Add("Answer", strings.Join(m.Header.Values("Many"), "+"))
		back.Header.Add("Empty", "")
		_ = m.RespondMsg(back)
	})
	must(err)
	must(a.Flush())
	there := nats.NewMsg("headed")
	there.Data = []byte("body")
	there.Header.Add("Many", "one")
	there.Header.Add("Many", "two: three")
	m, err := b.RequestMsg(there, deadline)
	must(err)
	equal(m.Header.Get("Answer"), "one+two: three", "header")
	equal(len(m.Header.Values("Empty")), 1, "empty headers")
	equal(string(m.Data), "body", "payload")
}

func unsubscribe() {
	a, b := dial(), dial()
	sub := subscribe(a, "leave")
	must(sub.Unsubscribe())
	must(a.Flush())
	noAnswer(b, "leave")
}

// The client counts too; that nobody answers afterwards shows that the server does.
func unsubscribeMax() {
	a, b := dial(), dial()
	sub := subscribe(a, "some")
	must(sub.AutoUnsubscribe(5))
	must(a.Flush())
	for i := 0; i < 10; i++ {
		publish(b, "some", strconv.Itoa(i))
	}
	must(b.Flush())
	for i := 0; i < 5; i++ {
		equal(string(next(sub).Data), strconv.Itoa(i), "message")
	}
	_, err := sub.NextMsg(deadline)
	fails(err, nats.ErrMaxMessages)
	noAnswer(b, "some")
}

func drain() {
	closed := make(chan struct{})
	a, b := dial(nats.ClosedHandler(func(*nats.Conn) { close(closed) })), dial()
	var got atomic.Int32
	_, err := a.Subscribe("drained", func(*nats.Msg) { got.Add(1) })
	must(err)
	must(a.Flush())
	for i := 0; i < 1000; i++ {
		publish(b, "drained", strconv.Itoa(i))
	}
	must(b.Flush())
	must(a.Drain())
	wait(closed)
	equal(got.Load(), 1000, "messages before the end")
	noAnswer(b, "drained")
}

func wait[T any](event <-chan T) (got T) {
	select {
	case got = <-event:
	case <-time.After(2 * deadline):
		panic(failure("deadline passed"))
	}
	return got
}

func largePayload() {
	a, b := dial(), dial()
	payload := make([]byte, 512*1024)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	sub := subscribe(a, "large")
	for i := 0; i < 5; i++ {
		must(b.Publish("large", payload))
	}
	for i := 0; i < 5; i++ {
		check(bytes.Equal(next(sub).Data, payload), "payload differs")
	}
}

func payloadAboveMax() {
	nc := dial()
	fails(nc.Publish("huge", make([]byte, nc.MaxPayload()+1)), nats.ErrMaxPayload)
	must(nc.Flush())
}

func manyConnections() {
	const count = 50
	var all []*nats.Conn
	var own, common []*nats.Subscription
	for i := 0; i < count; i++ {
		nc := dial()
		all = append(all, nc)
		own = append(own, subscribe(nc, "ring."+strconv.Itoa(i)))
		common = append(common, subscribe(nc, "ring.all"))
	}
	for i, nc := range all {
		publish(nc, "ring."+strconv.Itoa((i+1)%count), strconv.Itoa(i))
	}
	publish(all[0], "ring.all", "everybody")
	must(all[0].Flush())
	for i := range all {
		must(all[i].Flush())
		equal(string(next(own[i]).Data), strconv.Itoa((i+count-1)%count), "neighbour")
		equal(string(next(common[i]).Data), "everybody", "broadcast")
	}
}

func reconnect() {
	back := make(chan struct{})
	nc, err := nats.Connect(at("USERS_PORT"), nats.UserInfo(env("USER"), env("PASSWORD")),
		nats.ReconnectWait(50*time.Millisecond), nats.MaxReconnects(600),
		nats.ReconnectHandler(func(*nats.Conn) { close(back) }))
	must(err)
	open = append(open, nc)
	sub := subscribe(nc, "alive.*")
	fmt.Println("restart users")
	wait(back)
	publish(nc, "alive.again", "yes")
	equal(string(next(sub).Data), "yes", "payload")
}

func nkey(seed string) nats.Option {
	option, err := nats.NkeyOptionFromSeed(env(seed))
	must(err)
	return option
}

// The option fills the channel with the errors that no call returns.
func asyncErrors() (nats.Option, <-chan error) {
	errs := make(chan error, 16)
	return nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err }), errs
}

func expectViolation(errs <-chan error, action string) {
	said := wait(errs).Error()
	check(strings.HasPrefix(said, "nats: Permissions Violation for "+action), "another error: %s", said)
}

func permissionsPublish() {
	handler, errs := asyncErrors()
	limited, witness := dialAs("limited", env("PASSWORD"), handler), dialAs(env("USER"), env("PASSWORD"))
	seen := subscribe(witness, "*.said")
	publish(limited, "closed.said", "")
	expectViolation(errs, `Publish to "closed.said"`)
	publish(limited, "open.said", "")
	equal(next(seen).Subject, "open.said", "subject")
}

func permissionsSubscribe() {
	handler, errs := asyncErrors()
	limited, speaker := dialAs("limited", env("PASSWORD"), handler), dialAs(env("USER"), env("PASSWORD"))
	all := subscribe(limited, "open.>")
	secret, err := limited.SubscribeSync("open.secret")
	must(err)
	expectViolation(errs, `Subscription to "open.secret"`)
	publish(speaker, "open.secret", "")
	publish(speaker, "open.said", "")
	equal(next(all).Subject, "open.said", "subject")
	surplus, _, err := secret.Pending()
	must(err)
	equal(surplus, 0, "secret messages")
}

func allowResponses() {
	handler, errs := asyncErrors()
	responder, asker := dialAs("responder", env("PASSWORD"), handler), dialAs(env("USER"), env("PASSWORD"))
	_, err := responder.Subscribe("help", func(m *nats.Msg) {
		_ = m.Respond([]byte("first"))
		_ = m.Respond([]byte("second"))
	})
	must(err)
	must(responder.Flush())
	for i := 0; i < 2; i++ {
		m, err := asker.Request("help", nil, deadline)
		must(err)
		equal(string(m.Data), "first", "answer")
		expectViolation(errs, `Publish to "_INBOX.`)
	}
}

func serviceImport() {
	service, importer := dialAs(env("USER"), env("PASSWORD")), dialAs("importer", env("PASSWORD"))
	_, err := service.Subscribe("time", func(m *nats.Msg) { _ = m.Respond(append([]byte("re:"), m.Data...)) })
	must(err)
	must(service.Flush())
	for i := 0; i < 10; i++ {
		m, err := importer.Request("own.time", []byte(strconv.Itoa(i)), deadline)
		must(err)
		equal(string(m.Data), "re:"+strconv.Itoa(i), "answer")
	}
	noAnswer(importer, "time")
}

func streamImport() {
	source, importer := dialAs(env("USER"), env("PASSWORD")), dialAs("importer", env("PASSWORD"))
	imported, own := subscribe(importer, "from_own.news.>"), subscribe(importer, "news.>")
	must(source.PublishRequest("news.today", "answer.here", []byte("hello")))
	m := next(imported)
	equal(m.Subject+" "+m.Reply+" "+string(m.Data), "from_own.news.today answer.here hello", "message")
	publish(importer, "news.own", "")
	equal(next(own).Subject, "news.own", "first subject of the own account")
}

// The client comes back by itself: the second URL of its list has the new password.
func reloadPassword() {
	back := make(chan struct{})
	handler, errs := asyncErrors()
	carol := func(password string) string {
		return withUserinfo("RIGHTS_PORT", url.UserPassword("carol", env(password)))
	}
	changed, err := nats.Connect(carol("PASSWORD")+","+carol("NEXT_PASSWORD"), nats.DontRandomize(), handler,
		nats.Timeout(deadline), nats.ReconnectWait(50*time.Millisecond), nats.MaxReconnects(600),
		nats.ReconnectHandler(func(*nats.Conn) { close(back) }))
	must(err)
	open = append(open, changed)
	sub := subscribe(dialAs(env("USER"), env("PASSWORD")), "still.here")
	fmt.Println("reload rights")
	wait(back)
	fails(wait(errs), nats.ErrAuthorization)
	publish(changed, "still.here", "yes")
	equal(string(next(sub).Data), "yes", "payload")
	refused(carol("PASSWORD"))
}

func tokenRotation() {
	ended := make(chan struct{})
	handler, errs := asyncErrors()
	where := at("TOKEN_PORT")
	_, err := dialTo(where, nats.Token(env("TOKEN")), handler, nats.ClosedHandler(func(*nats.Conn) { close(ended) }))
	must(err)
	rotated, err := dialTo(where, nats.Token(env("NEXT_TOKEN")))
	must(err)
	sub := subscribe(rotated, "still.here")
	fmt.Println("reload token")
	wait(ended)
	fails(wait(errs), nats.ErrAuthorization)
	refused(where, nats.Token(env("TOKEN")))
	late, err := dialTo(where, nats.Token(env("NEXT_TOKEN")))
	must(err)
	publish(late, "still.here", "yes")
	equal(string(next(sub).Data), "yes", "payload")
}

func certificate(file string) string { return filepath.Join(env("CERTIFICATES"), file) }

// With TLS, the server verified by `authority`; `own` is the client's certificate, if any.
func withTLS(authority, own string, login ...nats.Option) []nats.Option {
	options := append(login, nats.RootCAs(certificate(authority+".pem")))
	if own != "" {
		options = append(options, nats.ClientCert(certificate(own+".pem"), certificate(own+".key")))
	}
	return options
}

func tlsAt(port string) string { return "tls://" + env("HOST") + ":" + env(port) }

func dialTLS(port string, options []nats.Option) *nats.Conn {
	nc, err := dialTo(tlsAt(port), options...)
	must(err)
	return nc
}

// Without a login that could be right or wrong.
func noTLS(port string, options []nats.Option) {
	_, err := dialTo(tlsAt(port), options...)
	check(err != nil, "let in")
	check(!errors.Is(err, nats.ErrAuthorization), "%v", err)
}

func tlsRefuseUnknownAuthority() {
	_, err := dialTo(tlsAt("TLS_PORT"), withTLS("next_ca", "", nats.UserInfo(env("USER"), env("PASSWORD")))...)
	var unknown x509.UnknownAuthorityError
	check(errors.As(err, &unknown), "%v", err)
}

func tlsMessages() {
	alice := nats.UserInfo(env("USER"), env("PASSWORD"))
	a, b := dialTLS("TLS_PORT", withTLS("ca", "", alice)), dialTLS("TLS_PORT", withTLS("ca", "", alice))
	const count = 20000
	payload := make([]byte, 512*1024)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	sub := subscribe(a, "secret")
	for i := 0; i < count; i++ {
		publish(b, "secret", strconv.Itoa(i))
	}
	for i := 0; i < 5; i++ {
		must(b.Publish("secret", payload))
	}
	must(b.Flush())
	for i := 0; i < count; i++ {
		equal(string(next(sub).Data), strconv.Itoa(i), "message")
	}
	for i := 0; i < 5; i++ {
		check(bytes.Equal(next(sub).Data, payload), "payload differs")
	}
}

// The user's rights are what shows which one the certificate stands for.
func mtlsMapEmail() {
	handler, errs := asyncErrors()
	nc := dialTLS("MAPPING_PORT", withTLS("ca", "mapped", handler))
	sub := subscribe(nc, "open.>")
	publish(nc, "closed.said", "")
	expectViolation(errs, `Publish to "closed.said"`)
	publish(nc, "open.said", "")
	equal(next(sub).Subject, "open.said", "subject")
}

func mtlsMapDistinguishedName() {
	device, other := dialTLS("MAPPING_PORT", withTLS("ca", "device")), dialTLS("MAPPING_PORT", withTLS("ca", "mapped"))
	sub := subscribe(device, ">")
	publish(other, "open.said", "") // in another account
	must(other.Flush())
	publish(device, "own.said", "")
	equal(next(sub).Subject, "own.said", "subject")
}

// The client that the reload closes comes back by itself, to the new certificate and with the new password. Who trusts
// only the new authority gets in then, who trusts only the old one no more; who was in stays.
func reloadCertificate() {
	back := make(chan struct{})
	alice := nats.UserInfo(env("USER"), env("PASSWORD"))
	carol := func(password string) string {
		return "tls://carol:" + env(password) + "@" + env("HOST") + ":" + env("TLS_PORT")
	}
	changed, err := nats.Connect(carol("PASSWORD")+","+carol("NEXT_PASSWORD"), withTLS("both_cas", "",
		nats.DontRandomize(), nats.Timeout(deadline), nats.ReconnectWait(50*time.Millisecond), nats.MaxReconnects(600),
		nats.ReconnectHandler(func(*nats.Conn) { close(back) }))...)
	must(err)
	open = append(open, changed)
	sub := subscribe(dialTLS("TLS_PORT", withTLS("ca", "", alice)), "still.here")
	fmt.Println("reload tls")
	wait(back)
	publish(changed, "still.here", "yes")
	equal(string(next(sub).Data), "yes", "payload")
	noTLS("TLS_PORT", withTLS("ca", "", alice))
	publish(dialTLS("TLS_PORT", withTLS("next_ca", "", alice)), "still.here", "too")
	equal(string(next(sub).Data), "too", "payload")
}

func scenarios() []struct {
	name string
	run  func()
} {
	users, tokens, hashedTokens := at("USERS_PORT"), at("TOKEN_PORT"), at("HASHED_TOKEN_PORT")
	rights := at("RIGHTS_PORT")
	as := func(user, password string) nats.Option { return nats.UserInfo(user, password) }
	alice := as(env("USER"), env("PASSWORD"))
	return []struct {
		name string
		run  func()
	}{
		{"connect_user_password", func() { logsIn(users, as(env("USER"), env("PASSWORD"))) }},
		{"connect_odd_characters", func() { logsIn(users, as(env("ODD_USER"), env("ODD_PASSWORD"))) }},
		{"connect_token", func() { logsIn(tokens, nats.Token(env("TOKEN"))) }},
		{"connect_url_user_password", func() {
			logsIn(withUserinfo("USERS_PORT", url.UserPassword(env("USER"), env("PASSWORD"))))
		}},
		{"connect_url_token", func() { logsIn(withUserinfo("TOKEN_PORT", url.User(env("TOKEN")))) }},
		{"connect_hashed_user", func() { logsIn(users, as(env("HASHED_USER"), env("HASHED_PASSWORD"))) }},
		{"connect_hashed_token", func() { logsIn(hashedTokens, nats.Token(env("HASHED_TOKEN"))) }},
		{"refuse_wrong_password", func() { refused(users, as(env("USER"), "wrong")) }},
		{"refuse_unknown_user", func() { refused(users, as("nobody", env("PASSWORD"))) }},
		{"refuse_wrong_token", func() { refused(tokens, nats.Token("wrong")) }},
		{"refuse_wrong_hashed_password", func() { refused(users, as(env("HASHED_USER"), "wrong")) }},
		{"refuse_wrong_hashed_token", func() { refused(hashedTokens, nats.Token("wrong")) }},
		{"refuse_no_credentials", func() { refused(users) }},
		{"publish_subscribe", publishSubscribe},
		{"payload_bytes", payloadBytes},
		{"wildcards", wildcards},
		{"order", order},
		{"no_echo", noEcho},
		{"verbose_pedantic", verbosePedantic},
		{"queue_group", queueGroup},
		{"request_reply", requestReply},
		{"no_responders", func() { noAnswer(dial(), "nobody.listens") }},
		{"headers", headers},
		{"unsubscribe", unsubscribe},
		{"unsubscribe_max", unsubscribeMax},
		{"drain", drain},
		{"large_payload", largePayload},
		{"payload_above_max", payloadAboveMax},
		{"many_connections", manyConnections},
		{"reconnect", reconnect},
		{"connect_nkey", func() { logsIn(rights, nkey("NKEY_SEED")) }},
		{"refuse_unknown_nkey", func() { refused(rights, nkey("UNKNOWN_NKEY_SEED")) }},
		{"permissions_publish", permissionsPublish},
		{"permissions_subscribe", permissionsSubscribe},
		{"allow_responses", allowResponses},
		{"service_import", serviceImport},
		{"service_import_no_responders", func() { noAnswer(dialAs("importer", env("PASSWORD")), "own.nothing") }},
		{"stream_import", streamImport},
		{"reload_password", reloadPassword},
		{"token_rotation", tokenRotation},
		{"tls_user_password", func() { logsIn(tlsAt("TLS_PORT"), withTLS("ca", "", alice)...) }},
		{"tls_refuse_wrong_password", func() { refused(tlsAt("TLS_PORT"), withTLS("ca", "", as(env("USER"), "wrong"))...) }},
		{"tls_refuse_unknown_authority", tlsRefuseUnknownAuthority},
		{"tls_messages", tlsMessages},
		{"mtls_verify", func() { logsIn(tlsAt("VERIFYING_PORT"), withTLS("ca", "unmapped", alice)...) }},
		{"mtls_refuse_no_certificate", func() { noTLS("VERIFYING_PORT", withTLS("ca", "", alice)) }},
		{"mtls_refuse_unknown_authority", func() { noTLS("VERIFYING_PORT", withTLS("ca", "stranger", alice)) }},
		{"mtls_map_email", mtlsMapEmail},
		{"mtls_map_distinguished_name", mtlsMapDistinguishedName},
		{"mtls_refuse_unmapped", func() { refused(tlsAt("MAPPING_PORT"), withTLS("ca", "unmapped")...) }},
		{"reload_certificate", reloadCertificate},
	}
}

func run(scenario func()) (why string) {
	defer func() {
		for _, nc := range open {
			nc.Close()
		}
		open = nil
		if caught := recover(); caught != nil {
			why = fmt.Sprint(caught)
		}
	}()
	scenario()
	return ""
}

func main() {
	status := 0
	for _, scenario := range scenarios() {
		if why := run(scenario.run); why != "" {
			fmt.Printf("not ok %s: %s\n", scenario.name, why)
			status = 1
		} else {
			fmt.Println("ok", scenario.name)
		}
	}
	os.Exit(status)
}
