// Replaces the configuration of a running server by what its file and flags say now (OP-33 … OP-36), or tells
// what that would do. On the thread that handles signals; messages go on meanwhile.
#pragma once

#include <string>

#include "core/command_line.h"
#include "core/runtime_file.h"
#include "net/server.h"

namespace nuncio::net {

class Reloader {
 public:
  // All of them outlive it. The command line keeps its secrets: flags override the file on reload too
  // (CF-67).
  Reloader(Server& server, const CommandLine& command_line, RuntimeFile& pid_file)
      : server_(server), command_line_(command_line), pid_file_(pid_file) {}

  // Returns when the new configuration holds for every login and every connection, or the old one still does;
  // says in the log what was reloaded, or why nothing was.
  void reload();
  // What reload() would change and whom it would drop, as lines of text; changes nothing.
  std::string plan();

 private:
  std::string find_obstacle(const Configuration& next, const Options& before) const;
  std::string apply(Configuration& next, const Options& before);

  Server& server_;
  const CommandLine& command_line_;
  RuntimeFile& pid_file_;
};

}  // namespace nuncio::net
