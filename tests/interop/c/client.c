// The scenarios of the interoperability tests with libnats; ../README.md says what each one proves.
#include <nats/nats.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { deadline_ms = 20000, connections_max = 64, subscriptions_max = 128 };

// What a scenario opened; closed when it ends, however it ends.
static natsConnection* connections[connections_max];
static natsSubscription* subscriptions[subscriptions_max];
static int connection_count, subscription_count;
static char why[512];

// Scenarios are straight lines of steps; the first that fails says why and ends them.
#define CHECK(holds, ...)                   \
  do {                                      \
    if (!(holds)) return fail(__VA_ARGS__); \
  } while (0)
#define STEP(call)                                                           \
  do {                                                                       \
    natsStatus status_ = (call);                                             \
    CHECK(status_ == NATS_OK, "%s: %s", #call, natsStatus_GetText(status_)); \
  } while (0)
#define RUN(scenario)              \
  do {                             \
    if (!(scenario)) return false; \
  } while (0)

static bool fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  return false;
}

static const char* env(const char* name) {
  char full[64];
  snprintf(full, sizeof full, "NUNCIO_%s", name);
  const char* value = getenv(full);
  return value != NULL ? value : "";
}

static natsStatus dial_with(natsOptions* options, natsConnection** out) {
  natsStatus status = natsConnection_Connect(out, options);
  if (status == NATS_OK) connections[connection_count++] = *out;
  natsOptions_Destroy(options);
  return status;
}

// Options for one server, with the userinfo put into the URL when there is any.
static natsOptions* options_for(const char* port, const char* userinfo) {
  char url[256];
  snprintf(url, sizeof url, "nats://%s%s%s:%s", userinfo, *userinfo != '\0' ? "@" : "", env("HOST"),
           env(port));
  natsOptions* options = NULL;
  if (natsOptions_Create(&options) != NATS_OK) abort();
  natsOptions_SetURL(options, url);
  natsOptions_SetAllowReconnect(options, false);
  natsOptions_SetTimeout(options, deadline_ms);
  return options;
}

static natsOptions* options_as(const char* user, const char* password) {
  natsOptions* options = options_for("USERS_PORT", "");
  natsOptions_SetUserInfo(options, user, password);
  return options;
}

static natsOptions* options_with_token(const char* port, const char* token) {
  natsOptions* options = options_for(port, "");
  natsOptions_SetToken(options, token);
  return options;
}

static natsOptions* usual_options(void) {
  return options_as(env("USER"), env("PASSWORD"));
}

// Logs into the server where users differ in their rights.
static natsOptions* options_with_rights(const char* user) {
  natsOptions* options = options_for("RIGHTS_PORT", "");
  natsOptions_SetUserInfo(options, user, env("PASSWORD"));
  return options;
}

static natsStatus dial(natsConnection** out) {
  return dial_with(usual_options(), out);
}

static natsStatus two(natsConnection** a, natsConnection** b) {
  natsStatus status = dial(a);
  return status == NATS_OK ? dial(b) : status;
}

static natsStatus subscribe(natsSubscription** out, natsConnection* nc, const char* subject,
                            const char* group) {
  natsStatus status = group == NULL ? natsConnection_SubscribeSync(out, nc, subject)
                                    : natsConnection_QueueSubscribeSync(out, nc, subject, group);
  if (status != NATS_OK) return status;
  subscriptions[subscription_count++] = *out;
  return natsConnection_Flush(nc);
}

static natsStatus subscribe_callback(natsConnection* nc, const char* subject, natsMsgHandler handler,
                                     void* closure) {
  natsSubscription* sub = NULL;
  natsStatus status = natsConnection_Subscribe(&sub, nc, subject, handler, closure);
  if (status != NATS_OK) return status;
  subscriptions[subscription_count++] = sub;
  return natsConnection_Flush(nc);
}

// Takes the next message and compares its payload.
static bool next_is(natsSubscription* sub, const void* data, int size) {
  natsMsg* msg = NULL;
  STEP(natsSubscription_NextMsg(&msg, sub, deadline_ms));
  bool same = natsMsg_GetDataLength(msg) == size && memcmp(natsMsg_GetData(msg), data, (size_t)size) == 0;
  int got = natsMsg_GetDataLength(msg);
  natsMsg_Destroy(msg);
  CHECK(same, "another payload (%d bytes) than the expected %d bytes", got, size);
  return true;
}

static bool next_is_text(natsSubscription* sub, const char* text) {
  return next_is(sub, text, (int)strlen(text));
}

static bool next_subject_is(natsSubscription* sub, const char* subject) {
  natsMsg* msg = NULL;
  STEP(natsSubscription_NextMsg(&msg, sub, deadline_ms));
  bool same = strcmp(natsMsg_GetSubject(msg), subject) == 0;
  natsMsg_Destroy(msg);
  CHECK(same, "another subject than %s", subject);
  return true;
}

static natsStatus publish_number(natsConnection* nc, const char* subject, int number) {
  char text[16];
  snprintf(text, sizeof text, "%d", number);
  return natsConnection_PublishString(nc, subject, text);
}

static bool next_is_number(natsSubscription* sub, int number) {
  char text[16];
  snprintf(text, sizeof text, "%d", number);
  return next_is_text(sub, text);
}

static bool no_answer(natsConnection* nc, const char* subject) {
  natsMsg* msg = NULL;
  natsStatus status = natsConnection_RequestString(&msg, nc, subject, "", deadline_ms);
  natsMsg_Destroy(msg);
  CHECK(status == NATS_NO_RESPONDERS, "request: %s", natsStatus_GetText(status));
  return true;
}

// Only a login that gets an answer from the server over the same connection counts.
static bool logs_in(natsOptions* options) {
  natsConnection* nc = NULL;
  natsSubscription* sub = NULL;
  STEP(dial_with(options, &nc));
  STEP(subscribe(&sub, nc, "login", NULL));
  STEP(natsConnection_PublishString(nc, "login", "hello"));
  return next_is_text(sub, "hello");
}

static bool refused(natsOptions* options) {
  natsConnection* nc = NULL;
  natsStatus status = dial_with(options, &nc);
  CHECK(status == NATS_CONNECTION_AUTH_FAILED, "connect: %s", natsStatus_GetText(status));
  return true;
}

// libnats puts credentials into its JSON as they are, so that escaping is left to us.
static void escape(char* to, const char* from) {
  for (; *from != '\0'; from++) {
    if (*from == '"' || *from == '\\') *to++ = '\\';
    *to++ = *from;
  }
  *to = '\0';
}

static bool connect_user_password(void) {
  return logs_in(usual_options());
}
static bool connect_odd_characters(void) {
  char password[128];
  escape(password, env("ODD_PASSWORD"));
  return logs_in(options_as(env("ODD_USER"), password));
}
static bool connect_token(void) {
  return logs_in(options_with_token("TOKEN_PORT", env("TOKEN")));
}
static bool connect_url_user_password(void) {
  char userinfo[128];
  snprintf(userinfo, sizeof userinfo, "%s:%s", env("USER"), env("PASSWORD"));
  return logs_in(options_for("USERS_PORT", userinfo));
}
static bool connect_url_token(void) {
  return logs_in(options_for("TOKEN_PORT", env("TOKEN")));
}
static bool connect_hashed_user(void) {
  return logs_in(options_as(env("HASHED_USER"), env("HASHED_PASSWORD")));
}
static bool connect_hashed_token(void) {
  return logs_in(options_with_token("HASHED_TOKEN_PORT", env("HASHED_TOKEN")));
}

static bool refuse_wrong_password(void) {
  return refused(options_as(env("USER"), "wrong"));
}
static bool refuse_unknown_user(void) {
  return refused(options_as("nobody", env("PASSWORD")));
}
static bool refuse_wrong_token(void) {
  return refused(options_with_token("TOKEN_PORT", "wrong"));
}
static bool refuse_wrong_hashed_password(void) {
  return refused(options_as(env("HASHED_USER"), "wrong"));
}
static bool refuse_wrong_hashed_token(void) {
  return refused(options_with_token("HASHED_TOKEN_PORT", "wrong"));
}
static bool refuse_no_credentials(void) {
  return refused(options_for("USERS_PORT", ""));
}

static bool publish_subscribe(void) {
  natsConnection *a, *b;
  natsSubscription* sub;
  natsMsg* msg = NULL;
  STEP(two(&a, &b));
  STEP(subscribe(&sub, a, "greet.world", NULL));
  STEP(natsConnection_PublishRequestString(b, "greet.world", "answer.here", "hello"));
  STEP(natsSubscription_NextMsg(&msg, sub, deadline_ms));
  bool good = strcmp(natsMsg_GetSubject(msg), "greet.world") == 0 &&
              strcmp(natsMsg_GetReply(msg), "answer.here") == 0 && strcmp(natsMsg_GetData(msg), "hello") == 0;
  natsMsg_Destroy(msg);
  CHECK(good, "message differs");
  return true;
}

static bool payload_bytes(void) {
  natsConnection *a, *b;
  natsSubscription* sub;
  char every[256];
  for (int i = 0; i < 256; i++) every[i] = (char)i;
  const char* forged = "MSG a 1 5\r\nPING\r\n";
  STEP(two(&a, &b));
  STEP(subscribe(&sub, a, "bytes", NULL));
  STEP(natsConnection_PublishString(b, "bytes", ""));
  STEP(natsConnection_PublishString(b, "bytes", "\r\n"));
  STEP(natsConnection_PublishString(b, "bytes", forged));
  STEP(natsConnection_Publish(b, "bytes", every, sizeof every));
  RUN(next_is_text(sub, ""));
  RUN(next_is_text(sub, "\r\n"));
  RUN(next_is_text(sub, forged));
  return next_is(sub, every, sizeof every);
}

static bool wildcards(void) {
  static const char* subjects[] = {"wild.1.end", "wild.1.2.end", "wild.2.end", "wild", "tame.1.end"};
  natsConnection *a, *b;
  natsSubscription *star, *rest;
  uint64_t star_left, rest_left;
  STEP(two(&a, &b));
  STEP(subscribe(&star, a, "wild.*.end", NULL));
  STEP(subscribe(&rest, a, "wild.>", NULL));
  for (int i = 0; i < 5; i++) STEP(natsConnection_PublishString(b, subjects[i], ""));
  STEP(natsConnection_Flush(b));
  STEP(natsConnection_Flush(a));
  RUN(next_subject_is(star, "wild.1.end"));
  RUN(next_subject_is(star, "wild.2.end"));
  RUN(next_subject_is(rest, "wild.1.end"));
  RUN(next_subject_is(rest, "wild.1.2.end"));
  RUN(next_subject_is(rest, "wild.2.end"));
  STEP(natsSubscription_QueuedMsgs(star, &star_left));
  STEP(natsSubscription_QueuedMsgs(rest, &rest_left));
  CHECK(star_left + rest_left == 0, "surplus messages");
  return true;
}

static bool order(void) {
  enum { count = 20000 };
  natsConnection *a, *b;
  natsSubscription* sub;
  STEP(two(&a, &b));
  STEP(subscribe(&sub, a, "order", NULL));
  for (int i = 0; i < count; i++) STEP(publish_number(b, "order", i));
  STEP(natsConnection_Flush(b));
  for (int i = 0; i < count; i++) RUN(next_is_number(sub, i));
  return true;
}

static bool no_echo(void) {
  natsConnection *a, *b;
  natsSubscription* sub;
  natsOptions* options = usual_options();
  STEP(natsOptions_SetNoEcho(options, true));
  STEP(dial_with(options, &a));
  STEP(dial(&b));
  STEP(subscribe(&sub, a, "echo", NULL));
  STEP(natsConnection_PublishString(a, "echo", "own"));
  STEP(natsConnection_Flush(a));
  STEP(natsConnection_PublishString(b, "echo", "other"));
  return next_is_text(sub, "other");
}

static bool verbose_pedantic(void) {
  natsOptions* options = usual_options();
  natsOptions_SetVerbose(options, true);
  natsOptions_SetPedantic(options, true);
  return logs_in(options);
}

static bool queue_group(void) {
  enum { count = 300, members = 3 };
  natsConnection *publisher, *member[members];
  natsSubscription *all, *sub[members];
  bool seen[count] = {false};
  int total = 0;
  STEP(dial(&publisher));
  STEP(subscribe(&all, publisher, "work", NULL));
  for (int i = 0; i < members; i++) {
    STEP(dial(&member[i]));
    STEP(subscribe(&sub[i], member[i], "work", "workers"));
  }
  for (int i = 0; i < count; i++) STEP(publish_number(publisher, "work", i));
  STEP(natsConnection_Flush(publisher));
  for (int i = 0; i < count; i++) RUN(next_is_number(all, i));
  for (int i = 0; i < members; i++) {
    uint64_t queued;
    STEP(natsConnection_Flush(member[i]));
    STEP(natsSubscription_QueuedMsgs(sub[i], &queued));
    CHECK(queued > 0, "a member got nothing");
    for (; queued > 0; queued--, total++) {
      natsMsg* msg = NULL;
      STEP(natsSubscription_NextMsg(&msg, sub[i], deadline_ms));
      int number = atoi(natsMsg_GetData(msg));
      natsMsg_Destroy(msg);
      CHECK(number >= 0 && number < count && !seen[number], "message %d twice", number);
      seen[number] = true;
    }
  }
  CHECK(total == count, "%d messages to the group", total);
  return true;
}

static void answer(natsConnection* nc, natsSubscription* sub, natsMsg* msg, void* closure) {
  (void)sub, (void)closure;
  char text[64];
  snprintf(text, sizeof text, "re:%s", natsMsg_GetData(msg));
  natsConnection_PublishString(nc, natsMsg_GetReply(msg), text);
  natsMsg_Destroy(msg);
}

static bool request_reply(void) {
  natsConnection *a, *b;
  STEP(two(&a, &b));
  STEP(subscribe_callback(a, "service", answer, NULL));
  for (int i = 0; i < 100; i++) {
    char question[16], wanted[32];
    natsMsg* msg = NULL;
    snprintf(question, sizeof question, "%d", i);
    snprintf(wanted, sizeof wanted, "re:%d", i);
    STEP(natsConnection_RequestString(&msg, b, "service", question, deadline_ms));
    bool same = strcmp(natsMsg_GetData(msg), wanted) == 0;
    natsMsg_Destroy(msg);
    CHECK(same, "another answer than %s", wanted);
  }
  return true;
}

static bool no_responders(void) {
  natsConnection* nc;
  STEP(dial(&nc));
  return no_answer(nc, "nobody.listens");
}

static void answer_with_headers(natsConnection* nc, natsSubscription* sub, natsMsg* msg, void* closure) {
  (void)sub, (void)closure;
  const char** values = NULL;
  int count = 0;
  natsMsg* back = NULL;
  if (natsMsgHeader_Values(msg, "Many", &values, &count) == NATS_OK &&
      natsMsg_Create(&back, natsMsg_GetReply(msg), NULL, natsMsg_GetData(msg), natsMsg_GetDataLength(msg)) ==
          NATS_OK) {
    char joined[128];
    snprintf(joined, sizeof joined, "%s+%s", values[0], count == 2 ? values[1] : "?");
    natsMsgHeader_Set(back, "Answer", joined);
    natsConnection_PublishMsg(nc, back);
  }
  free((void*)values);
  natsMsg_Destroy(back);
  natsMsg_Destroy(msg);
}

static bool headers(void) {
  natsConnection *a, *b;
  natsMsg *there, *back = NULL;
  const char* joined = "";
  STEP(two(&a, &b));
  STEP(subscribe_callback(a, "headed", answer_with_headers, NULL));
  STEP(natsMsg_Create(&there, "headed", NULL, "body", 4));
  natsMsgHeader_Add(there, "Many", "one");
  natsMsgHeader_Add(there, "Many", "two: three");
  natsStatus status = natsConnection_RequestMsg(&back, b, there, deadline_ms);
  natsMsg_Destroy(there);
  STEP(status);
  STEP(natsMsgHeader_Get(back, "Answer", &joined));
  // No empty value here: libnats 3.4 reads the header after it as its continuation.
  bool good = strcmp(joined, "one+two: three") == 0 && strcmp(natsMsg_GetData(back), "body") == 0;
  natsMsg_Destroy(back);
  CHECK(good, "answer differs");
  return true;
}

static bool unsubscribe(void) {
  natsConnection *a, *b;
  natsSubscription* sub;
  STEP(two(&a, &b));
  STEP(subscribe(&sub, a, "leave", NULL));
  STEP(natsSubscription_Unsubscribe(sub));
  STEP(natsConnection_Flush(a));
  return no_answer(b, "leave");
}

// The client counts too; that nobody answers afterwards shows that the server does.
static bool unsubscribe_max(void) {
  natsConnection *a, *b;
  natsSubscription* sub;
  natsMsg* msg = NULL;
  STEP(two(&a, &b));
  STEP(subscribe(&sub, a, "some", NULL));
  STEP(natsSubscription_AutoUnsubscribe(sub, 5));
  STEP(natsConnection_Flush(a));
  for (int i = 0; i < 10; i++) STEP(publish_number(b, "some", i));
  STEP(natsConnection_Flush(b));
  for (int i = 0; i < 5; i++) RUN(next_is_number(sub, i));
  natsStatus status = natsSubscription_NextMsg(&msg, sub, deadline_ms);
  CHECK(status == NATS_MAX_DELIVERED_MSGS, "sixth message: %s", natsStatus_GetText(status));
  return no_answer(b, "some");
}

static atomic_int drained;

static void count_drained(natsConnection* nc, natsSubscription* sub, natsMsg* msg, void* closure) {
  (void)nc, (void)sub, (void)closure;
  atomic_fetch_add(&drained, 1);
  natsMsg_Destroy(msg);
}

static bool drain(void) {
  natsConnection *a, *b;
  STEP(two(&a, &b));
  STEP(subscribe_callback(a, "drained", count_drained, NULL));
  for (int i = 0; i < 1000; i++) STEP(publish_number(b, "drained", i));
  STEP(natsConnection_Flush(b));
  STEP(natsConnection_DrainTimeout(a, deadline_ms));
  STEP(natsSubscription_WaitForDrainCompletion(subscriptions[0], deadline_ms));
  CHECK(atomic_load(&drained) == 1000, "%d messages before the end", atomic_load(&drained));
  return no_answer(b, "drained");
}

static bool large_payload(void) {
  enum { size = 512 * 1024 };
  static unsigned char payload[size];
  natsConnection *a, *b;
  natsSubscription* sub;
  for (int i = 0; i < size; i++) payload[i] = (unsigned char)(i * 7);
  STEP(two(&a, &b));
  STEP(subscribe(&sub, a, "large", NULL));
  for (int i = 0; i < 5; i++) STEP(natsConnection_Publish(b, "large", payload, size));
  for (int i = 0; i < 5; i++) RUN(next_is(sub, payload, size));
  return true;
}

static bool payload_above_max(void) {
  natsConnection* nc;
  STEP(dial(&nc));
  int size = (int)natsConnection_GetMaxPayload(nc) + 1;
  char* payload = calloc(1, (size_t)size);
  natsStatus status = natsConnection_Publish(nc, "huge", payload, size);
  free(payload);
  CHECK(status == NATS_MAX_PAYLOAD, "publish: %s", natsStatus_GetText(status));
  STEP(natsConnection_Flush(nc));
  return true;
}

static bool many_connections(void) {
  enum { count = 50 };
  natsConnection* nc[count];
  natsSubscription *own[count], *common[count];
  char subject[32];
  for (int i = 0; i < count; i++) {
    snprintf(subject, sizeof subject, "ring.%d", i);
    STEP(dial(&nc[i]));
    STEP(subscribe(&own[i], nc[i], subject, NULL));
    STEP(subscribe(&common[i], nc[i], "ring.all", NULL));
  }
  for (int i = 0; i < count; i++) {
    snprintf(subject, sizeof subject, "ring.%d", (i + 1) % count);
    STEP(publish_number(nc[i], subject, i));
  }
  STEP(natsConnection_PublishString(nc[0], "ring.all", "everybody"));
  for (int i = 0; i < count; i++) {
    RUN(next_is_number(own[i], (i + count - 1) % count));
    RUN(next_is_text(common[i], "everybody"));
  }
  return true;
}

static bool connected_again(natsConnection* nc) {
  natsStatistics* statistics = NULL;
  uint64_t reconnects = 0;
  int64_t end_ms = nats_Now() + 2 * deadline_ms;
  STEP(natsStatistics_Create(&statistics));
  while (reconnects == 0 && nats_Now() < end_ms) {
    nats_Sleep(10);
    natsConnection_GetStats(nc, statistics);
    natsStatistics_GetCounts(statistics, NULL, NULL, NULL, NULL, &reconnects);
  }
  natsStatistics_Destroy(statistics);
  CHECK(reconnects == 1, "not connected again before the deadline");
  return true;
}

// A message to itself is what shows that the subscription is alive; the library keeps it until it is
// connected again.
static bool reconnect(void) {
  natsConnection* nc;
  natsSubscription* sub;
  natsOptions* options = usual_options();
  natsOptions_SetAllowReconnect(options, true);
  natsOptions_SetReconnectWait(options, 50);
  natsOptions_SetMaxReconnect(options, 600);
  STEP(dial_with(options, &nc));
  STEP(subscribe(&sub, nc, "alive.*", NULL));
  printf("restart users\n");
  RUN(connected_again(nc));
  STEP(natsConnection_PublishString(nc, "alive.again", "yes"));
  return next_is_text(sub, "yes");
}

static natsOptions* options_with_nkey(const char* name, const char* seed) {
  natsOptions* options = options_for("RIGHTS_PORT", "");
  natsOptions_SetNKeyFromSeed(options, env(name), env(seed));
  return options;
}
// Once in some 250 times libnats 3.4 signs wrongly, on nats-server too (12 of 3,000), hence the second
// chance.
static bool connect_nkey(void) {
  return logs_in(options_with_nkey("NKEY", "NKEY_SEED")) || logs_in(options_with_nkey("NKEY", "NKEY_SEED"));
}
static bool refuse_unknown_nkey(void) {
  return refused(options_with_nkey("UNKNOWN_NKEY", "UNKNOWN_NKEY_SEED"));
}

// The errors that no call returns: how many there were and what the last one said.
static struct {
  atomic_int count;
  char text[256];
} async_errors;

static void note_error(natsConnection* nc, natsSubscription* sub, natsStatus error, void* closure) {
  (void)sub, (void)closure;
  const char* text = "";
  natsConnection_GetLastError(nc, &text);
  snprintf(async_errors.text, sizeof async_errors.text, "%s: %s", natsStatus_GetText(error), text);
  atomic_fetch_add(&async_errors.count, 1);
}

static natsStatus dial_noting_errors(natsConnection** out, natsOptions* options) {
  atomic_store(&async_errors.count, 0);
  natsOptions_SetErrorHandler(options, note_error, NULL);
  return dial_with(options, out);
}

static bool violates(int count, const char* action) {
  char wanted[128];
  snprintf(wanted, sizeof wanted, "Not Permitted: Permissions Violation for %s", action);
  int64_t end_ms = nats_Now() + deadline_ms;
  while (atomic_load(&async_errors.count) < count && nats_Now() < end_ms) nats_Sleep(10);
  CHECK(atomic_load(&async_errors.count) == count, "%d errors", atomic_load(&async_errors.count));
  CHECK(strstr(async_errors.text, wanted) == async_errors.text, "another error: %s", async_errors.text);
  return true;
}

static bool permissions_publish(void) {
  natsConnection *limited, *witness;
  natsSubscription* seen;
  STEP(dial_noting_errors(&limited, options_with_rights("limited")));
  STEP(dial_with(options_with_rights(env("USER")), &witness));
  STEP(subscribe(&seen, witness, "*.said", NULL));
  STEP(natsConnection_PublishString(limited, "closed.said", ""));
  RUN(violates(1, "Publish to \"closed.said\""));
  STEP(natsConnection_PublishString(limited, "open.said", ""));
  return next_subject_is(seen, "open.said");
}

static bool permissions_subscribe(void) {
  natsConnection *limited, *speaker;
  natsSubscription *all, *secret;
  uint64_t surplus;
  STEP(dial_noting_errors(&limited, options_with_rights("limited")));
  STEP(dial_with(options_with_rights(env("USER")), &speaker));
  STEP(subscribe(&all, limited, "open.>", NULL));
  STEP(subscribe(&secret, limited, "open.secret", NULL));
  RUN(violates(1, "Subscription to \"open.secret\""));
  STEP(natsConnection_PublishString(speaker, "open.secret", ""));
  STEP(natsConnection_PublishString(speaker, "open.said", ""));
  RUN(next_subject_is(all, "open.said"));
  STEP(natsSubscription_QueuedMsgs(secret, &surplus));
  CHECK(surplus == 0, "secret messages");
  return true;
}

static void answer_twice(natsConnection* nc, natsSubscription* sub, natsMsg* msg, void* closure) {
  (void)sub, (void)closure;
  natsConnection_PublishString(nc, natsMsg_GetReply(msg), "first");
  natsConnection_PublishString(nc, natsMsg_GetReply(msg), "second");
  natsMsg_Destroy(msg);
}

static bool answers(natsConnection* nc, const char* subject, const char* question, const char* wanted) {
  natsMsg* msg = NULL;
  STEP(natsConnection_RequestString(&msg, nc, subject, question, deadline_ms));
  bool same = strcmp(natsMsg_GetData(msg), wanted) == 0;
  natsMsg_Destroy(msg);
  CHECK(same, "another answer than %s", wanted);
  return true;
}

static bool allow_responses(void) {
  natsConnection *responder, *asker;
  STEP(dial_noting_errors(&responder, options_with_rights("responder")));
  STEP(dial_with(options_with_rights(env("USER")), &asker));
  STEP(subscribe_callback(responder, "help", answer_twice, NULL));
  for (int i = 1; i <= 2; i++) {
    RUN(answers(asker, "help", "", "first"));
    RUN(violates(i, "Publish to \"_INBOX."));
  }
  return true;
}

static bool service_import(void) {
  natsConnection *service, *importer;
  STEP(dial_with(options_with_rights(env("USER")), &service));
  STEP(dial_with(options_with_rights("importer"), &importer));
  STEP(subscribe_callback(service, "time", answer, NULL));
  for (int i = 0; i < 10; i++) {
    char question[16], wanted[32];
    snprintf(question, sizeof question, "%d", i);
    snprintf(wanted, sizeof wanted, "re:%d", i);
    RUN(answers(importer, "own.time", question, wanted));
  }
  return no_answer(importer, "time");
}

static bool service_import_no_responders(void) {
  natsConnection* importer;
  STEP(dial_with(options_with_rights("importer"), &importer));
  return no_answer(importer, "own.nothing");
}

static bool stream_import(void) {
  natsConnection *source, *importer;
  natsSubscription *imported, *own;
  natsMsg* msg = NULL;
  STEP(dial_with(options_with_rights(env("USER")), &source));
  STEP(dial_with(options_with_rights("importer"), &importer));
  STEP(subscribe(&imported, importer, "from_own.news.>", NULL));
  STEP(subscribe(&own, importer, "news.>", NULL));
  STEP(natsConnection_PublishRequestString(source, "news.today", "answer.here", "hello"));
  STEP(natsSubscription_NextMsg(&msg, imported, deadline_ms));
  bool good = strcmp(natsMsg_GetSubject(msg), "from_own.news.today") == 0 &&
              strcmp(natsMsg_GetReply(msg), "answer.here") == 0 && strcmp(natsMsg_GetData(msg), "hello") == 0;
  natsMsg_Destroy(msg);
  CHECK(good, "message differs");
  STEP(natsConnection_PublishString(importer, "news.own", ""));
  return next_subject_is(own, "news.own");
}

// The client comes back by itself: the second URL of its list has the new password.
static bool reload_password(void) {
  natsConnection *changed, *other;
  natsSubscription* sub;
  char urls[2][128];
  const char* servers[2] = {urls[0], urls[1]};
  static const char* passwords[2] = {"PASSWORD", "NEXT_PASSWORD"};
  for (int i = 0; i < 2; i++)
    snprintf(urls[i], sizeof urls[i], "nats://carol:%s@%s:%s", env(passwords[i]), env("HOST"),
             env("RIGHTS_PORT"));
  natsOptions* options = options_for("RIGHTS_PORT", "");
  natsOptions_SetURL(options, NULL);
  natsOptions_SetServers(options, servers, 2);
  natsOptions_SetNoRandomize(options, true);
  natsOptions_SetAllowReconnect(options, true);
  natsOptions_SetReconnectWait(options, 50);
  natsOptions_SetMaxReconnect(options, 600);
  STEP(dial_with(options, &changed));
  STEP(dial_with(options_with_rights(env("USER")), &other));
  STEP(subscribe(&sub, other, "still.here", NULL));
  printf("reload rights\n");
  RUN(connected_again(changed));
  STEP(natsConnection_PublishString(changed, "still.here", "yes"));
  RUN(next_is_text(sub, "yes"));
  return refused(options_with_rights("carol"));
}

static bool token_rotation(void) {
  natsConnection *old, *rotated, *late;
  natsSubscription* sub;
  STEP(dial_with(options_with_token("TOKEN_PORT", env("TOKEN")), &old));
  STEP(dial_with(options_with_token("TOKEN_PORT", env("NEXT_TOKEN")), &rotated));
  STEP(subscribe(&sub, rotated, "still.here", NULL));
  printf("reload token\n");
  int64_t end_ms = nats_Now() + 2 * deadline_ms;
  while (!natsConnection_IsClosed(old) && nats_Now() < end_ms) nats_Sleep(10);
  CHECK(natsConnection_IsClosed(old), "not closed before the deadline");
  RUN(refused(options_with_token("TOKEN_PORT", env("TOKEN"))));
  STEP(dial_with(options_with_token("TOKEN_PORT", env("NEXT_TOKEN")), &late));
  STEP(natsConnection_PublishString(late, "still.here", "yes"));
  return next_is_text(sub, "yes");
}

static const char* certificate(const char* name, const char* ending) {
  static char paths[4][512];  // as many as one call of the library takes
  static int next;
  next = (next + 1) % 4;
  snprintf(paths[next], sizeof paths[next], "%s/%s.%s", env("CERTIFICATES"), name, ending);
  return paths[next];
}

// With TLS, the server verified by `authority`; `own` is the client's certificate, if any.
static natsOptions* options_with_tls(const char* port, const char* authority, const char* own) {
  natsOptions* options = options_for(port, "");
  natsOptions_SetSecure(options, true);
  natsOptions_SetExpectedHostname(options, env("HOST"));
  if (natsOptions_LoadCATrustedCertificates(options, certificate(authority, "pem")) != NATS_OK) abort();
  if (own != NULL &&
      natsOptions_LoadCertificatesChain(options, certificate(own, "pem"), certificate(own, "key")) != NATS_OK)
    abort();
  return options;
}

static natsOptions* options_with_tls_as(const char* port, const char* user, const char* password,
                                        const char* authority, const char* own) {
  natsOptions* options = options_with_tls(port, authority, own);
  natsOptions_SetUserInfo(options, user, password);
  return options;
}

static natsOptions* usual_tls_options(void) {
  return options_with_tls_as("TLS_PORT", env("USER"), env("PASSWORD"), "ca", NULL);
}

// Without a login that could be right or wrong.
static bool no_tls(natsOptions* options) {
  natsConnection* nc = NULL;
  natsStatus status = dial_with(options, &nc);
  CHECK(status != NATS_OK && status != NATS_CONNECTION_AUTH_FAILED, "connect: %s",
        natsStatus_GetText(status));
  return true;
}

static bool tls_user_password(void) {
  return logs_in(usual_tls_options());
}
static bool tls_refuse_wrong_password(void) {
  return refused(options_with_tls_as("TLS_PORT", env("USER"), "wrong", "ca", NULL));
}
static bool tls_refuse_unknown_authority(void) {
  natsConnection* nc = NULL;
  natsStatus status =
      dial_with(options_with_tls_as("TLS_PORT", env("USER"), env("PASSWORD"), "next_ca", NULL), &nc);
  CHECK(status == NATS_SSL_ERROR, "connect: %s", natsStatus_GetText(status));
  return true;
}

static bool tls_messages(void) {
  enum { count = 20000, large = 512 * 1024 };
  static char payload[large];
  natsConnection *a, *b;
  natsSubscription* sub;
  for (int i = 0; i < large; i++) payload[i] = (char)(i * 7);
  STEP(dial_with(usual_tls_options(), &a));
  STEP(dial_with(usual_tls_options(), &b));
  STEP(subscribe(&sub, a, "secret", NULL));
  for (int i = 0; i < count; i++) STEP(publish_number(b, "secret", i));
  for (int i = 0; i < 5; i++) STEP(natsConnection_Publish(b, "secret", payload, large));
  STEP(natsConnection_Flush(b));
  for (int i = 0; i < count; i++) RUN(next_is_number(sub, i));
  for (int i = 0; i < 5; i++) RUN(next_is(sub, payload, large));
  return true;
}

static bool mtls_verify(void) {
  return logs_in(options_with_tls_as("VERIFYING_PORT", env("USER"), env("PASSWORD"), "ca", "unmapped"));
}
static bool mtls_refuse_no_certificate(void) {
  return no_tls(options_with_tls_as("VERIFYING_PORT", env("USER"), env("PASSWORD"), "ca", NULL));
}
static bool mtls_refuse_unknown_authority(void) {
  return no_tls(options_with_tls_as("VERIFYING_PORT", env("USER"), env("PASSWORD"), "ca", "stranger"));
}

// The user's rights are what shows which one the certificate stands for.
static bool mtls_map_email(void) {
  natsConnection* nc;
  natsSubscription* sub;
  STEP(dial_noting_errors(&nc, options_with_tls("MAPPING_PORT", "ca", "mapped")));
  STEP(subscribe(&sub, nc, "open.>", NULL));
  STEP(natsConnection_PublishString(nc, "closed.said", ""));
  RUN(violates(1, "Publish to \"closed.said\""));
  STEP(natsConnection_PublishString(nc, "open.said", ""));
  return next_subject_is(sub, "open.said");
}

static bool mtls_map_distinguished_name(void) {
  natsConnection *device, *other;
  natsSubscription* sub;
  STEP(dial_with(options_with_tls("MAPPING_PORT", "ca", "device"), &device));
  STEP(dial_with(options_with_tls("MAPPING_PORT", "ca", "mapped"), &other));
  STEP(subscribe(&sub, device, ">", NULL));
  STEP(natsConnection_PublishString(other, "open.said", ""));  // in another account
  STEP(natsConnection_Flush(other));
  STEP(natsConnection_PublishString(device, "own.said", ""));
  return next_subject_is(sub, "own.said");
}

static bool mtls_refuse_unmapped(void) {
  return refused(options_with_tls("MAPPING_PORT", "ca", "unmapped"));
}

// The client that the reload closes comes back by itself, to the new certificate and with the new password.
// Who trusts only the new authority gets in then, who trusts only the old one no more; who was in stays.
static bool reload_certificate(void) {
  natsConnection *changed, *other, *late;
  natsSubscription* sub;
  char urls[2][128];
  const char* servers[2] = {urls[0], urls[1]};
  static const char* passwords[2] = {"PASSWORD", "NEXT_PASSWORD"};
  for (int i = 0; i < 2; i++)
    snprintf(urls[i], sizeof urls[i], "nats://carol:%s@%s:%s", env(passwords[i]), env("HOST"),
             env("TLS_PORT"));
  natsOptions* options = options_with_tls("TLS_PORT", "both_cas", NULL);
  natsOptions_SetURL(options, NULL);
  natsOptions_SetServers(options, servers, 2);
  natsOptions_SetNoRandomize(options, true);
  natsOptions_SetAllowReconnect(options, true);
  natsOptions_SetReconnectWait(options, 50);
  natsOptions_SetMaxReconnect(options, 600);
  STEP(dial_with(options, &changed));
  STEP(dial_with(usual_tls_options(), &other));
  STEP(subscribe(&sub, other, "still.here", NULL));
  printf("reload tls\n");
  RUN(connected_again(changed));
  STEP(natsConnection_PublishString(changed, "still.here", "yes"));
  RUN(next_is_text(sub, "yes"));
  RUN(no_tls(usual_tls_options()));
  STEP(dial_with(options_with_tls_as("TLS_PORT", env("USER"), env("PASSWORD"), "next_ca", NULL), &late));
  STEP(natsConnection_PublishString(late, "still.here", "too"));
  return next_is_text(sub, "too");
}

static void clean_up(void) {
  for (int i = 0; i < subscription_count; i++) natsSubscription_Destroy(subscriptions[i]);
  for (int i = 0; i < connection_count; i++) natsConnection_Destroy(connections[i]);
  subscription_count = connection_count = 0;
}

#define SCENARIO(name) \
  { #name, name }

int main(void) {
  static const struct {
    const char* name;
    bool (*run)(void);
  } scenarios[] = {
      SCENARIO(connect_user_password),
      SCENARIO(connect_odd_characters),
      SCENARIO(connect_token),
      SCENARIO(connect_url_user_password),
      SCENARIO(connect_url_token),
      SCENARIO(connect_hashed_user),
      SCENARIO(connect_hashed_token),
      SCENARIO(refuse_wrong_password),
      SCENARIO(refuse_unknown_user),
      SCENARIO(refuse_wrong_token),
      SCENARIO(refuse_wrong_hashed_password),
      SCENARIO(refuse_wrong_hashed_token),
      SCENARIO(refuse_no_credentials),
      SCENARIO(publish_subscribe),
      SCENARIO(payload_bytes),
      SCENARIO(wildcards),
      SCENARIO(order),
      SCENARIO(no_echo),
      SCENARIO(verbose_pedantic),
      SCENARIO(queue_group),
      SCENARIO(request_reply),
      SCENARIO(no_responders),
      SCENARIO(headers),
      SCENARIO(unsubscribe),
      SCENARIO(unsubscribe_max),
      SCENARIO(drain),
      SCENARIO(large_payload),
      SCENARIO(payload_above_max),
      SCENARIO(many_connections),
      SCENARIO(reconnect),
      SCENARIO(connect_nkey),
      SCENARIO(refuse_unknown_nkey),
      SCENARIO(permissions_publish),
      SCENARIO(permissions_subscribe),
      SCENARIO(allow_responses),
      SCENARIO(service_import),
      SCENARIO(service_import_no_responders),
      SCENARIO(stream_import),
      SCENARIO(reload_password),
      SCENARIO(token_rotation),
      SCENARIO(tls_user_password),
      SCENARIO(tls_refuse_wrong_password),
      SCENARIO(tls_refuse_unknown_authority),
      SCENARIO(tls_messages),
      SCENARIO(mtls_verify),
      SCENARIO(mtls_refuse_no_certificate),
      SCENARIO(mtls_refuse_unknown_authority),
      SCENARIO(mtls_map_email),
      SCENARIO(mtls_map_distinguished_name),
      SCENARIO(mtls_refuse_unmapped),
      SCENARIO(reload_certificate),
  };
  int status = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  nats_Open(-1);
  for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
    bool good = scenarios[i].run();
    clean_up();
    if (good) {
      printf("ok %s\n", scenarios[i].name);
    } else {
      printf("not ok %s: %s\n", scenarios[i].name, why);
      status = 1;
    }
  }
  nats_Close();
  return status;
}
