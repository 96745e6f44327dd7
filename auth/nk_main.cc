// The program nuncio-nk; see auth/key_tool.h.
#include <sys/prctl.h>

#include "auth/key_tool.h"

int main(int argc, char** argv) {
  prctl(PR_SET_DUMPABLE, 0);  // no core file with a seed in it, no peeking with ptrace
  return nuncio::auth::run_key_tool(argc, argv);
}
