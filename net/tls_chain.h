// What a client's chain of certificates would cost to verify, judged before the TLS library does: it bounds
// neither the exponent of a key nor how often it tries one link, computes with curves that it then refuses,
// and the client need not be anybody yet (AT-18).
#pragma once

#include <string>
#include <string_view>

namespace nuncio::net {

// `message`: the body of a Certificate message of TLS 1.2, or of 1.3. Why its chain is refused; empty: it may
// be verified. What cannot be read of it is left to the library, which ignores some certificates. Any thread.
std::string refuse_costly_chain(std::string_view message, bool is_tls_1_3);

}  // namespace nuncio::net
