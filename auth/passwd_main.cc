// The program nuncio-passwd; see auth/password_tool.h.
#include <sys/prctl.h>

#include "auth/password_tool.h"

int main(int argc, char** argv) {
  prctl(PR_SET_DUMPABLE, 0);  // no core file with a password in it, no peeking with ptrace
  return nuncio::auth::run_password_tool(argc, argv);
}
