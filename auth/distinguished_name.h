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
    std::string
        type;  // the short name where there is one ("CN", "DC", "emailAddress" …), else the dotted OID
    std::string value;  // UTF-8, unescaped

    friend bool operator==(const Attribute&, const Attribute&) = default;
  };
  using Relative = std::vector<Attribute>;  // more than one attribute: multi-valued ("CN=a+UID=b")

  // Of a text such as "CN=anna,OU=dev+L=here,DC=example,DC=org", which begins with the most specific.
  // nullopt: empty, malformed, or with a value in BER ("CN=#0c01"), which nats-server does not read either.
  static std::optional<DistinguishedName> parse(std::string_view text);
  // Was probably meant to be one: begins with a usual type and "=".
  static bool looks_like_one(std::string_view text);

  // All its attributes are of the types that nats-server compares; it looks at no other name as a whole.
  bool is_comparable() const;
  // Equal for two that have the same relatives in the same order, or in any. Types are equal in either case,
  // values as they are; the order within a multi-valued relative never counts.
  std::string ordered_key() const;
  std::string unordered_key() const;

  // The texts that nats-server compares literally: "SERIALNUMBER=…,CN=…,OU=…+OU=…,O=…,POSTALCODE=…,STREET=…,
  // L=…,ST=…,C=…" whatever the order in the certificate, all others left out, of CN and SERIALNUMBER the
  // last;
  std::string usual_text() const;
  // "DC=org,DC=example", in the order of the certificate. Escaped, which nats-server leaves out: there a
  // component with a comma can pass for two.
  std::string domain_components_text() const;

  // In the order of the certificate: the most general ("C", "DC") usually first, against the order of the
  // text.
  std::vector<Relative> relatives;
};

}  // namespace nuncio::auth
