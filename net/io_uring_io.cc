// The io_uring back end.
#include "net/io.h"

namespace nuncio::net {

std::unique_ptr<Io> make_io_uring(const IoSettings&, std::string& why_not) {
  why_not = "not part of this build";
  return nullptr;
}

}  // namespace nuncio::net
