// The one exception of this program: a run that cannot go on, with the text for the user. main() reports it
// and leaves with 1; threads hand it to the thread that joins them.
#pragma once

#include <stdexcept>

namespace nuncio::load {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace nuncio::load
