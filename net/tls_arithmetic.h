// The arithmetic of private keys and signatures for mbedTLS: of X25519 by libsodium, of P-256, P-384 and
// P-521 by nettle, of RSA by GMP. They have it in assembly, take the same time whatever the secret is, and
// are 2 to 20 times faster. A handshake is little else.
//
// mbedTLS has its arithmetic replaced when it is compiled, which a distribution's library is already. So the
// three public functions that it goes through are defined here again: in a program linked with the shared
// library these come first (ELF symbol interposition), for the library's own calls too. Whatever is not plain
// (another curve, a bad scalar or point, an even modulus) goes on to the library's own function, so that each
// error is the library's.
#pragma once

#include <mbedtls/ecp.h>

namespace nuncio::net {

// Whether mbedTLS's calls come here in this process; where not (a library linked with -Bsymbolic-functions)
// it is slower, with the same results. Any thread.
bool has_fast_arithmetic();

// The library's own multiplication. In 2.28 the group keeps a table of it, which is not safe with threads.
int multiply_by_library(mbedtls_ecp_group&, mbedtls_ecp_point& product, const mbedtls_mpi& scalar,
                        const mbedtls_ecp_point&);

}  // namespace nuncio::net
