// nuncio-passwd: makes a password hash for the configuration file, of a generated password or of one that is
// asked for or piped in (AU-30). A secret on the command line is not offered: everybody could read it there
// (AT-40).
#pragma once

namespace nuncio::auth {

// The whole program: arguments, prompts and output on the standard streams; returns the exit code (0 done, 1
// failed, 2 wrong usage).
int run_password_tool(int argc, char** argv);

}  // namespace nuncio::auth
