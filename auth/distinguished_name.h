// A distinguished name, as in a certificate or written as text (RFC 2253 and 4514), and the question that
// verify_and_map asks: are two of them the same (AU-38)? Immutable values; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuncio::auth {

struct DistinguishedName {
  struct Attribute {
    std::string type;   // the short name where there is one ("CN", "DC", "emailAddress" …), else the dotted OID
    std::string value;  // UTF-8, unescaped

    friend bool operator==(const Attribute&, const Attribute&) = default;
  };
  using Relative = std::vector<Attribute>;  // more than one attribute: multi-valued ("CN=a+UID=b")

  // In the order of the certificate: the most general ("C", "DC") usually first, against the order of the text.
  std::vector<Relative> relatives;
};

}  // namespace nuncio::auth
