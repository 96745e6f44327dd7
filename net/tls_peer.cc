#include "net/tls_peer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nuncio::net {
namespace {

using Bytes = std::string_view;
using Error = tl::unexpected<std::string>;

constexpr int tag_sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
constexpr int tag_set = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET;
constexpr Bytes oid_subject_alt_name("\x55\x1d\x11", 3), oid_name_constraints("\x55\x1d\x1e", 3);

// One element of DER, and a reader of those that follow each other.
struct Element {
  int tag;
  Bytes content;
};

class DerReader {
 public:
  explicit DerReader(Bytes bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  std::optional<Element> next();       // nullopt: malformed, or nothing is left
  std::optional<Bytes> next(int tag);  // the content, when the next one has that tag

 private:
  Bytes bytes_;
};

using Result = tl::expected<void, std::string>;
Result read_subject(Bytes der, auth::DistinguishedName&);
Result read_relative(Bytes der, auth::DistinguishedName::Relative&);
Result read_alternative_names(Bytes der, auth::PeerCertificate&);
std::optional<Bytes> find_extension(Bytes der, Bytes oid);
std::string type_name(Bytes oid);
tl::expected<std::string, std::string> text_of(const Element&);

Bytes bytes_of(const mbedtls_x509_buf& buffer) {
  return {reinterpret_cast<const char*>(buffer.p), buffer.len};
}

}  // namespace

tl::expected<auth::PeerCertificate, std::string> read_peer_certificate(const mbedtls_x509_crt& certificate) {
  auth::PeerCertificate peer;
  if (const auto result = read_subject(bytes_of(certificate.subject_raw), peer.subject); !result)
    return Error("its subject " + result.error());
  if (certificate.v3_ext.len > 0) {
    if (const auto names = find_extension(bytes_of(certificate.v3_ext), oid_subject_alt_name)) {
      if (const auto result = read_alternative_names(*names, peer); !result)
        return Error("its alternative names: one " + result.error());
    }
  }
  peer.key_digest = to_hex(sha256({certificate.pk_raw.p, certificate.pk_raw.len}));
  return peer;
}

bool is_for_servers(const mbedtls_x509_crt& certificate) {
  return mbedtls_x509_crt_check_key_usage(&certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0 &&
         mbedtls_x509_crt_check_extended_key_usage(&certificate, MBEDTLS_OID_SERVER_AUTH,
                                                   MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0;
}

bool is_for_clients(const mbedtls_x509_crt& certificate) {
  return mbedtls_x509_crt_check_extended_key_usage(&certificate, MBEDTLS_OID_CLIENT_AUTH,
                                                   MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)) == 0;
}

bool has_name_constraints(const mbedtls_x509_crt& certificate) {
  return certificate.v3_ext.len > 0 && find_extension(bytes_of(certificate.v3_ext), oid_name_constraints);
}

namespace {

std::optional<Element> DerReader::next() {
  if (bytes_.empty()) return std::nullopt;
  // The library takes mutable pointers but does not write.
  auto* at = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes_.data()));
  const unsigned char* end = at + bytes_.size();
  const int tag = *at++;
  size_t size = 0;
  if (mbedtls_asn1_get_len(&at, end, &size) != 0) return std::nullopt;
  const Element element{tag, {reinterpret_cast<const char*>(at), size}};
  bytes_ = {reinterpret_cast<const char*>(at) + size, static_cast<size_t>(end - at) - size};
  return element;
}

std::optional<Bytes> DerReader::next(int tag) {
  const auto element = next();
  if (!element || element->tag != tag) return std::nullopt;
  return element->content;
}

// Name ::= SEQUENCE OF SET OF SEQUENCE { type, value }
Result read_subject(Bytes der, auth::DistinguishedName& subject) {
  DerReader outer(der);
  const auto names = outer.next(tag_sequence);
  if (!names) return Error("is malformed");
  for (DerReader sets(*names); !sets.at_end();) {
    const auto set = sets.next(tag_set);
    if (!set) return Error("is malformed");
    if (const auto result = read_relative(*set, subject.relatives.emplace_back()); !result) return result;
  }
  return {};
}

Result read_relative(Bytes der, auth::DistinguishedName::Relative& relative) {
  for (DerReader attributes(der); !attributes.at_end();) {
    const auto attribute = attributes.next(tag_sequence);
    if (!attribute) return Error("is malformed");
    DerReader parts(*attribute);
    const auto type = parts.next(MBEDTLS_ASN1_OID);
    const auto value = parts.next();
    if (!type || !value) return Error("is malformed");
    auto text = text_of(*value);
    if (!text) return Error(text.error());
    relative.push_back({type_name(*type), std::move(*text)});
  }
  return {};
}

std::optional<Bytes> find_extension(Bytes der, Bytes oid) {
  DerReader outer(der);
  const auto extensions = outer.next(tag_sequence);
  if (!extensions) return std::nullopt;
  for (DerReader each(*extensions); !each.at_end();) {
    const auto extension = each.next(tag_sequence);
    if (!extension) return std::nullopt;
    DerReader parts(*extension);
    if (parts.next(MBEDTLS_ASN1_OID) != oid) continue;
    auto value = parts.next();
    if (value && value->tag == MBEDTLS_ASN1_BOOLEAN) value = parts.next();  // critical
    if (!value || value->tag != MBEDTLS_ASN1_OCTET_STRING) return std::nullopt;
    return value->content;
  }
  return std::nullopt;
}

// SEQUENCE OF GeneralName, of which these three kinds are IA5Strings and name somebody.
Result read_alternative_names(Bytes der, auth::PeerCertificate& peer) {
  constexpr int email = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 1, dns = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2,
                uri = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6;
  DerReader outer(der);
  const auto names = outer.next(tag_sequence);
  if (!names) return Error("is malformed");
  for (DerReader each(*names); !each.at_end();) {
    const auto name = each.next();
    if (!name) return Error("is malformed");
    auto* list = name->tag == email ? &peer.emails
                 : name->tag == dns ? &peer.dns_names
                 : name->tag == uri ? &peer.uris
                                    : nullptr;
    if (list == nullptr) continue;
    const auto text = text_of({MBEDTLS_ASN1_IA5_STRING, name->content});
    if (!text) return Error(text.error());
    list->push_back(*text);
  }
  return {};
}

// Short names as of RFC 4514, and those that are usual beyond them.
std::string type_name(Bytes oid) {
  struct Name {
    Bytes oid;
    const char* text;
  };
  static constexpr Name names[] = {
      {Bytes("\x55\x04\x03", 3), "CN"},
      {Bytes("\x55\x04\x05", 3), "SERIALNUMBER"},
      {Bytes("\x55\x04\x06", 3), "C"},
      {Bytes("\x55\x04\x07", 3), "L"},
      {Bytes("\x55\x04\x08", 3), "ST"},
      {Bytes("\x55\x04\x09", 3), "STREET"},
      {Bytes("\x55\x04\x0a", 3), "O"},
      {Bytes("\x55\x04\x0b", 3), "OU"},
      {Bytes("\x55\x04\x11", 3), "POSTALCODE"},
      {Bytes("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10), "UID"},
      {Bytes("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", 10), "DC"},
      {Bytes("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9), "emailAddress"},
  };
  for (const Name& name : names)
    if (name.oid == oid) return name.text;

  std::string text;
  uint64_t number = 0;
  for (const char byte : oid) {
    number = number << 7 | (static_cast<uint8_t>(byte) & 0x7f);
    if (byte & 0x80) continue;
    if (text.empty()) {  // the first number holds two
      const uint64_t first = std::min<uint64_t>(number / 40, 2);
      text = std::to_string(first) + "." + std::to_string(number - 40 * first);
    } else {
      text += "." + std::to_string(number);
    }
    number = 0;
  }
  return text;
}

void append_utf8(std::string& text, uint32_t code) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)),
        put(0x80 | (code & 0x3f));
  }
}

// UTF-16, big-endian. Some issuers end it with a NUL, which is not part of it (as Go has it).
std::optional<std::string> from_utf16(Bytes bytes) {
  if (bytes.size() % 2 != 0) return std::nullopt;
  const auto unit = [&](size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
  };
  if (bytes.ends_with(Bytes("\0\0", 2))) bytes.remove_suffix(2);
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 2) {
    uint32_t code = unit(at);
    if (code >= 0xd800 && code < 0xe000) {
      const uint32_t low = at + 2 < bytes.size() ? unit(at + 2) : 0;
      if (code >= 0xdc00 || low < 0xdc00 || low >= 0xe000) return std::nullopt;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      at += 2;
    }
    append_utf8(text, code);
  }
  return text;
}

bool is_utf8(Bytes bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  for (size_t i = 0; i < bytes.size();) {
    const uint8_t lead = byte(i);
    const size_t size = lead < 0x80                   ? 1
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                        : (lead & 0xf0) == 0xe0       ? 3
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                                                      : 0;
    if (size == 0 || i + size > bytes.size()) return false;
    for (size_t k = 1; k < size; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    // Longer than needed, surrogates, beyond the last code.
    if ((lead == 0xe0 && byte(i + 1) < 0xa0) || (lead == 0xed && byte(i + 1) > 0x9f) ||
        (lead == 0xf0 && byte(i + 1) < 0x90) || (lead == 0xf4 && byte(i + 1) > 0x8f))
      return false;
    i += size;
  }
  return true;
}

tl::expected<std::string, std::string> text_of(const Element& element) {
  std::optional<std::string> text;
  const auto is_ascii = [&] {
    return std::all_of(element.content.begin(), element.content.end(),
                       [](char c) { return static_cast<uint8_t>(c) < 0x80; });
  };
  switch (element.tag) {
    case MBEDTLS_ASN1_UTF8_STRING:
    case MBEDTLS_ASN1_T61_STRING:  // in practice UTF-8 or ASCII
      if (is_utf8(element.content)) text = element.content;
      break;
    case MBEDTLS_ASN1_PRINTABLE_STRING:
    case MBEDTLS_ASN1_IA5_STRING:
    case 0x12:  // NumericString
      if (is_ascii()) text = element.content;
      break;
    case MBEDTLS_ASN1_BMP_STRING:
      text = from_utf16(element.content);
      break;
    default:
      return Error("has a value of a kind that is no text");
  }
  if (!text) return Error("is not text in its encoding");
  if (text->find('\0') != std::string::npos) return Error("contains a NUL byte");
  return *text;
}

}  // namespace
}  // namespace nuncio::net
