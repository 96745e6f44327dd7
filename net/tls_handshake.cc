#include "net/tls_handshake.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/assert.h"
#include "core/secret.h"
#include "net/tls_chain.h"
#include "net/tls_peer.h"

namespace nuncio::net {
namespace {

using State = TlsSession::Handshake;
using Clock = std::chrono::system_clock;

constexpr size_t header_size = 5;
constexpr uint8_t record_of_handshake = 22;
// How long one handshake with certificates is good for, by tickets that come with tickets too: who only got
// hold of one must not stay for ever (RFC 8446, 4.6.1).
constexpr auto resumable_for = std::chrono::hours(7 * 24);

// What a ticket holds beside the library's session.
struct TicketContent {
  bool is_tls_1_3;
  int64_t expires_at, resumable_until;  // Unix time
  std::string_view certificate;         // DER; empty: none, or in the session
  std::string_view session;

  std::string to_text() const;
  static std::optional<TicketContent> from_text(std::string_view);
};

void take_keys_of_1_2(const ExportedSecrets&, TlsTraffic&);

// The one that this thread is at, for the callbacks that the library gives no session.
thread_local TlsHandshake* current = nullptr;

int64_t unix_time(Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

int64_t unix_time(const mbedtls_x509_time& time) {
  std::tm parts{};
  parts.tm_year = time.year - 1900;
  parts.tm_mon = time.mon - 1;
  parts.tm_mday = time.day;
  parts.tm_hour = time.hour;
  parts.tm_min = time.min;
  parts.tm_sec = time.sec;
  return ::timegm(&parts);
}

}  // namespace

TlsHandshake::TlsHandshake(TlsContext::Engine& context)
    : context_(context), resumable_until_(unix_time(Clock::now() + resumable_for)) {
  mbedtls_ssl_init(&ssl_);
}

TlsHandshake::~TlsHandshake() {
  // A configuration that was not given back goes too: this may be a worker, which takes no locks of
  // verifiers.
  mbedtls_ssl_free(&ssl_);
}

State TlsHandshake::go_on(std::string_view& ciphertext, std::string& answer) {
  if (!has_begun_) {
    if (const State state = begin(ciphertext); state != State::done) return state;
  }
  input_ = &ciphertext;
  answer_ = &answer;
  current = this;
  const State state = step();
  current = nullptr;
  // What is sent with our certificate, down to the signature, is made at once.
  if (may_sign_ && !is_resumed_) {
    context_.configs.give_back(config_);
    may_sign_ = false;
  }
  return state;
}

// The library's buffers are for who has sent one whole record, not for who only connects. `done`: it came.
State TlsHandshake::begin(std::string_view& ciphertext) {
  const auto take = [&](size_t size_wanted) {
    const size_t size = std::min(size_wanted - std::min(size_wanted, hello_.size()), ciphertext.size());
    hello_.append(ciphertext.substr(0, size));
    ciphertext.remove_prefix(size);
    return hello_.size() >= size_wanted;
  };
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(hello_[at]); };
  const bool has_header = take(header_size);
  const size_t size = has_header ? static_cast<size_t>(byte(3) << 8 | byte(4)) : 0;
  const bool is_foreign =
      (!hello_.empty() && byte(0) != record_of_handshake) || (hello_.size() > 1 && byte(1) != 3);
  if (is_foreign || size > TlsSession::record_max)
    return fail("the first record does not look like a TLS handshake");
  if (!has_header || !take(header_size + size)) return State::wants_input;

  config_ = context_.configs.borrow();
  may_sign_ = true;
  if (!config_->error.empty()) return fail(config_->error);
  if (const int result = mbedtls_ssl_setup(&ssl_, &config_->config); result != 0)
    return fail(library_error(result));
  mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
  mbedtls_ssl_set_verify(&ssl_, judge, this);
  has_begun_ = true;
  return State::done;
}

State TlsHandshake::step() {
  const LibraryLock lock;
  const ExportScope scope(ssl_, secrets_);
  const auto& state = ssl_.MBEDTLS_PRIVATE(state);
  while (state != MBEDTLS_SSL_HANDSHAKE_OVER) {
    // A resumed session passes over this one, in either version.
    if (state == MBEDTLS_SSL_SERVER_CERTIFICATE) is_resumed_ = false;
    if (state == MBEDTLS_SSL_HANDSHAKE_WRAPUP) has_client_finished_ = true;
    const size_t answered = answer_->size();
    const int result = step_once();
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return State::wants_input;
    if (result != 0) {
      tell_failure(result, answered);
      return fail(problem_of(result));
    }
  }
  return finish();
}

// A step of the library. A chain of certificates is judged before the step that verifies it.
int TlsHandshake::step_once() {
  if (context_.options.is_verifying && ssl_.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_CLIENT_CERTIFICATE) {
    PeerMessage message;
    if (const int result = peek_message(ssl_, message); result != 0) return result;
    if (message.type == MBEDTLS_SSL_HS_CERTIFICATE)
      certificate_problem_ = refuse_costly_chain(message.body, is_tls_1_3(ssl_));
    if (!certificate_problem_.empty()) return MBEDTLS_ERR_X509_FATAL_ERROR;
  }
  return mbedtls_ssl_handshake_step(&ssl_);
}

State TlsHandshake::finish() {
  // What it has read beyond the handshake, our records would never see.
  if (mbedtls_ssl_check_pending(&ssl_) != 0) return fail("the handshake did not end with its last record");
  if (!find_suite()) return fail("the handshake ended without a cipher suite");
  // 3.6 counts the type of 1.3 as data.
  const int size = mbedtls_ssl_get_max_out_record_payload(&ssl_);
  if (size > 0 && static_cast<size_t>(size) < TlsSession::record_max - 1)
    record_size_ = static_cast<size_t>(size);

  const auto* certificate = mbedtls_ssl_get_peer_cert(&ssl_);
  if (certificate != nullptr ? !accept_peer(*certificate) : is_resumed_ && !restore_peer())
    return State::failed;
  if (context_.options.is_verifying && !peer_) return fail("the client gave no certificate");
  return State::done;
}

bool TlsHandshake::find_suite() {
  const auto suites = tls_cipher_suites();
  const auto found = std::ranges::find(suites, suite_of(ssl_), &TlsCipherSuite::id);
  if (found == suites.end()) return false;
  suite_ = &*found;
  return true;
}

// Where the library tells the client nothing, or in a way that it cannot read, and the client would see a
// connection that ends for no reason. What it has told stands behind `answered`.
void TlsHandshake::tell_failure(int code, size_t answered) {
  if (!is_tls_1_3(ssl_)) {
    // It ends 1.2 without a word for these.
    const uint8_t alert = alert_of(code);
    const bool is_told = answer_->size() > answered;
    if (!is_told && alert != 0) mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
    return;
  }
  // From our Finished on, a client of 1.3 reads with keys that the library takes into use only when the
  // client's has come.
  const auto is_set = [](uint8_t byte) { return byte != 0; };
  if (has_client_finished_ || std::ranges::none_of(secrets_.server_traffic, is_set)) return;
  answer_->resize(answered);
  if (!find_suite()) return;
  TlsTraffic traffic;
  get_traffic(traffic);
  traffic.server.sequence = 0;
  TlsRecords records(traffic);
  char record[TlsSession::record_overhead_max];
  answer_->append(record, records.tell(alert_of(code), record));
}

// 0: none that says more than the end itself.
uint8_t TlsHandshake::alert_of(int code) const {
  const bool is_1_3 = is_tls_1_3(ssl_);
  switch (code) {
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: {
      constexpr uint8_t certificate_required = 116;
      return is_1_3 ? certificate_required : MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;
    }
    case MBEDTLS_ERR_ECP_VERIFY_FAILED:
    case MBEDTLS_ERR_RSA_VERIFY_FAILED:
    case MBEDTLS_ERR_RSA_INVALID_PADDING:
      return MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR;
    case MBEDTLS_ERR_X509_FATAL_ERROR:  // not verified at all
      return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
  }
  if (!is_1_3) return 0;
  const uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  if (flags == 0 || flags == 0xffffffff) return MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;
  if (flags & MBEDTLS_X509_BADCERT_OTHER) return MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED;
  if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE))
    return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT;
  if (flags & MBEDTLS_X509_BADCERT_EXPIRED) return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
  if (flags & MBEDTLS_X509_BADCERT_REVOKED) return MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED;
  if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) return MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
  return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
}

State TlsHandshake::fail(std::string problem) {
  problem_ = std::move(problem);
  return State::failed;
}

bool TlsHandshake::accept_peer(const mbedtls_x509_crt& certificate) {
  auto names = read_peer_certificate(certificate);
  if (!names) return fail("client certificate: " + names.error()), false;
  peer_ = std::move(*names);
  return true;
}

// 1.3 of the library leaves the client's certificate out of its session; our ticket has it.
bool TlsHandshake::restore_peer() {
  if (certificate_.empty()) return true;
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  const int result = mbedtls_x509_crt_parse_der(
      &certificate, reinterpret_cast<const unsigned char*>(certificate_.data()), certificate_.size());
  const bool is_accepted = result == 0 ? accept_peer(certificate) : (fail(library_error(result)), false);
  mbedtls_x509_crt_free(&certificate);
  return is_accepted;
}

std::string TlsHandshake::problem_of(int code) const {
  if (!certificate_problem_.empty()) return "client certificate: " + certificate_problem_;
  if (code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) return "the client gave no certificate";
  const uint32_t flags = has_begun_ ? mbedtls_ssl_get_verify_result(&ssl_) : 0;
  if (flags == 0 || flags == 0xffffffff) return library_error(code);
  char text[512] = "";
  mbedtls_x509_crt_verify_info(text, sizeof text, "", flags);
  std::string line = "client certificate: ";
  for (const char* c = text; *c != '\0'; ++c) {
    if (*c != '\n')
      line += *c;
    else if (c[1] != '\0')
      line += "; ";
  }
  return line;
}

void TlsHandshake::get_traffic(TlsTraffic& traffic) const {
  traffic.cipher = aead_of(*suite_);
  traffic.is_tls_1_3 = is_tls_1_3(ssl_);
  traffic.hash = suite_->name.ends_with("SHA384") ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256;
  if (traffic.is_tls_1_3) {
    traffic.client.secret = secrets_.client_traffic;
    traffic.server.secret = secrets_.server_traffic;
  } else {
    take_keys_of_1_2(secrets_, traffic);
  }
  // The library has used the keys already: for Finished in 1.2, for tickets in 1.3.
  traffic.client.sequence = next_sequence_in(ssl_);
  traffic.server.sequence = next_sequence_out(ssl_);
}

int TlsHandshake::receive(void* opaque, unsigned char* bytes, size_t size) {
  auto& self = *static_cast<TlsHandshake*>(opaque);
  std::string_view hello = self.hello_;
  std::string_view& input = hello.empty() ? *self.input_ : hello;
  if (input.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  size = std::min(size, input.size());
  std::memcpy(bytes, input.data(), size);
  input.remove_prefix(size);
  if (&input == &hello) self.hello_ = hello;
  return static_cast<int>(size);
}

int TlsHandshake::send(void* opaque, const unsigned char* bytes, size_t size) {
  static_cast<TlsHandshake*>(opaque)->answer_->append(reinterpret_cast<const char*>(bytes), size);
  return static_cast<int>(size);
}

// Called for each certificate of the chain that was found, the one we trust first, the client's last. Adds
// what the library does not look at and Go does.
int TlsHandshake::judge(void* opaque, mbedtls_x509_crt* certificate, int depth, uint32_t* flags) {
  auto& self = *static_cast<TlsHandshake*>(opaque);
  self.resumable_until_ = std::min(self.resumable_until_, unix_time(certificate->valid_to));
  if (!is_for_clients(*certificate)) *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
  if (depth > 0) {
    if (!has_name_constraints(*certificate)) return 0;
    self.certificate_problem_ = "an issuer constrains names, which cannot be checked";
    *flags |= MBEDTLS_X509_BADCERT_OTHER;
    return 0;
  }
  // Behind the end of a list the library refuses whom it could be about.
  for (const auto* list = &self.context_.material.revoked; list != nullptr; list = list->next)
    if (list->version != 0)
      self.resumable_until_ = std::min(self.resumable_until_, unix_time(list->next_update));
  self.certificate_.assign(reinterpret_cast<const char*>(certificate->raw.p), certificate->raw.len);
  if (const auto names = read_peer_certificate(*certificate); !names) {
    self.certificate_problem_ = names.error();
    *flags |= MBEDTLS_X509_BADCERT_OTHER;
  }
  return 0;
}

int TlsHandshake::write_ticket(void* opaque, const mbedtls_ssl_session* session, unsigned char* start,
                               const unsigned char* end, size_t* size, uint32_t* lifetime_s) {
  auto& context = *static_cast<TlsContext::Engine*>(opaque);
  const auto now = Clock::now();
  const auto room = static_cast<size_t>(end - start);
  size_t session_size = 0;
  mbedtls_ssl_session_save(session, nullptr, 0, &session_size);
  std::string saved(session_size, '\0');
  const int result = mbedtls_ssl_session_save(session, reinterpret_cast<unsigned char*>(saved.data()),
                                              saved.size(), &session_size);
  if (result != 0) return result;
  const bool is_1_3 = is_tls_1_3(current->ssl_);
  const int64_t expires_at = std::min(unix_time(now + TlsTickets::lifetime), current->resumable_until_);
  std::string content = TicketContent{is_1_3, expires_at, current->resumable_until_,
                                      is_1_3 ? current->certificate_ : std::string_view(), saved}
                            .to_text();
  std::string ticket = context.tickets.seal(content, now);
  wipe(saved);
  wipe(content);
  // One that finds no room must not end the handshake: the client will get nowhere with this one.
  if (ticket.size() > room) ticket = "-";
  std::memcpy(start, ticket.data(), ticket.size());
  *size = ticket.size();
  *lifetime_s = static_cast<uint32_t>(std::max<int64_t>(0, expires_at - unix_time(now)));
  return 0;
}

int TlsHandshake::read_ticket(void* opaque, mbedtls_ssl_session* session, unsigned char* bytes, size_t size) {
  auto& context = *static_cast<TlsContext::Engine*>(opaque);
  const auto now = Clock::now();
  auto text = context.tickets.open({reinterpret_cast<const char*>(bytes), size}, now);
  if (!text) return MBEDTLS_ERR_SSL_INVALID_MAC;
  int result = MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
  if (const auto content = TicketContent::from_text(*text);
      content && content->expires_at > unix_time(now) && content->is_tls_1_3 == is_tls_1_3(current->ssl_)) {
    result = mbedtls_ssl_session_load(
        session, reinterpret_cast<const unsigned char*>(content->session.data()), content->session.size());
    current->certificate_ = content->certificate;
    current->resumable_until_ = content->resumable_until;
  }
  wipe(*text);
  return result;
}

namespace {

// RFC 5246, 6.3: keys, then what of the nonces is fixed, the client's first.
void take_keys_of_1_2(const ExportedSecrets& secrets, TlsTraffic& traffic) {
  const size_t key_size = TlsAead::key_size(traffic.cipher);
  const size_t iv_size = traffic.cipher == TlsAead::Cipher::chacha20_poly1305 ? 12 : 4;
  std::array<uint8_t, 2 * (TlsAead::key_size_max + TlsAead::nonce_size)> block;
  const bool is_made = expand_keys_of_1_2(secrets, std::span(block).first(2 * (key_size + iv_size)));
  NUNCIO_ASSERT(is_made);
  const uint8_t* at = block.data();
  const auto take = [&](auto& to, size_t size) {
    std::copy_n(at, size, to.begin());
    at += size;
  };
  take(traffic.client.key, key_size);
  take(traffic.server.key, key_size);
  take(traffic.client.iv, iv_size);
  take(traffic.server.iv, iv_size);
  mbedtls_platform_zeroize(block.data(), block.size());
}

template <typename Number>
void put(std::string& text, Number number) {
  text.append(reinterpret_cast<const char*>(&number), sizeof number);
}

template <typename Number>
bool get(std::string_view& text, Number& number) {
  if (text.size() < sizeof number) return false;
  std::memcpy(&number, text.data(), sizeof number);
  text.remove_prefix(sizeof number);
  return true;
}

// Only this process reads it again.
std::string TicketContent::to_text() const {
  std::string text;
  text.reserve(32 + certificate.size() + session.size());
  put(text, static_cast<uint8_t>(is_tls_1_3));
  put(text, expires_at);
  put(text, resumable_until);
  put(text, static_cast<uint32_t>(certificate.size()));
  text.append(certificate).append(session);
  return text;
}

std::optional<TicketContent> TicketContent::from_text(std::string_view text) {
  TicketContent content{};
  uint8_t version = 0;
  uint32_t size = 0;
  if (!get(text, version) || !get(text, content.expires_at) || !get(text, content.resumable_until) ||
      !get(text, size) || size > text.size())
    return std::nullopt;
  content.is_tls_1_3 = version != 0;
  content.certificate = text.substr(0, size);
  content.session = text.substr(size);
  return content;
}

}  // namespace
}  // namespace nuncio::net
