#include "net/tls_session.h"

#include <optional>
#include <utility>

#include "core/assert.h"
#include "net/tls_handshake.h"
#include "net/tls_records.h"

namespace nuncio::net {

// First a handshake, then records; never both.
struct TlsSession::Engine {
  std::shared_ptr<const TlsContext> context;  // until the handshake is done, as the next
  std::unique_ptr<TlsHandshake> handshake;
  std::optional<TlsRecords> records;
  std::unique_ptr<const auth::PeerCertificate> peer;
  const TlsCipherSuite* suite = nullptr;
  uint32_t record_size = record_max;
  bool is_resumed = false;

  void finish();
};

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context) : engine_(std::make_unique<Engine>()) {
  engine_->context = std::move(context);
  engine_->handshake = std::make_unique<TlsHandshake>(engine_->context->engine());
}

TlsSession::~TlsSession() = default;

TlsSession::Handshake TlsSession::handshake(std::string_view& ciphertext, std::string& answer) {
  NUNCIO_ASSERT(engine_->handshake);
  if (!problem().empty()) return Handshake::failed;
  const auto state = engine_->handshake->go_on(ciphertext, answer);
  if (state == Handshake::done) engine_->finish();
  return state;
}

// Takes out of the handshake what is asked for later, and lets go of the rest.
void TlsSession::Engine::finish() {
  suite = &handshake->suite();
  is_resumed = handshake->is_resumed();
  record_size = static_cast<uint32_t>(handshake->record_size());
  if (auto& names = handshake->peer())
    peer = std::make_unique<const auth::PeerCertificate>(std::move(*names));
  TlsTraffic traffic;
  handshake->get_traffic(traffic);
  records.emplace(traffic);
  handshake.reset();
  context.reset();
}

const std::string& TlsSession::problem() const {
  return engine_->records ? engine_->records->problem() : engine_->handshake->problem();
}

TlsSession::ReadResult TlsSession::read(std::string_view& ciphertext, std::span<char> plain) {
  NUNCIO_ASSERT(engine_->records && plain.size() >= record_max);
  return engine_->records->read(ciphertext, plain);
}

size_t TlsSession::record_size() const {
  return engine_->record_size;
}

size_t TlsSession::write(std::string_view plain, std::span<char> ciphertext) {
  NUNCIO_ASSERT(engine_->records && !plain.empty() && plain.size() <= record_max &&
                ciphertext.size() >= plain.size() + record_overhead_max);
  return engine_->records->write(plain, ciphertext);
}

size_t TlsSession::close(std::span<char> ciphertext) {
  NUNCIO_ASSERT(ciphertext.size() >= record_overhead_max);
  return engine_->records ? engine_->records->close(ciphertext) : 0;
}

const auth::PeerCertificate* TlsSession::peer() const {
  return engine_->peer.get();
}

std::string_view TlsSession::version() const {
  return !engine_->records ? "" : engine_->records->is_tls_1_3() ? "1.3" : "1.2";
}

std::string_view TlsSession::cipher_suite() const {
  return engine_->suite ? engine_->suite->name : std::string_view();
}

bool TlsSession::is_resumed() const {
  return engine_->is_resumed;
}

}  // namespace nuncio::net
