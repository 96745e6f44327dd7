// nuncio-nk: makes nkeys, shows public keys, signs and verifies files (AU-37). Options, files and output are
// those of the official tool `nk`, but for -out, which writes a seed into a file that only its owner can
// read.
#pragma once

namespace nuncio::auth {

// The whole program: arguments and files in, output on the standard streams; returns the exit code (0 done, 1
// failed, 2 wrong usage). A seed is printed by -gen without -out and nowhere else.
int run_key_tool(int argc, char** argv);

}  // namespace nuncio::auth
