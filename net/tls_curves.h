// The arithmetic of elliptic curves for mbedTLS, by libsodium (X25519) and nettle (P-256, P-384, P-521): both
// have it in assembly, take the same time whatever the secret, and are 5 to 20 times faster. A handshake is
// little else.
//
// mbedTLS has its arithmetic replaced when it is compiled, which a distribution's library is already. So the
// two public functions that all of its multiplications go through are defined here again: in a program linked
// with the shared library these come first (ELF symbol interposition), for the library's own calls too.
// Whatever is not plain (another curve, a bad scalar or point) goes on to the library's own function, so that
// each error is the library's.
#pragma once

namespace nuncio::net {

// Whether mbedTLS computes with these in this process; where not (a library linked with -Bsymbolic) it is
// slower, with the same results. Any thread.
bool has_fast_curves();

}  // namespace nuncio::net
