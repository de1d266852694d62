// A daemon for one command: a child process on ephemeral ports, with state of its own, that ends when its owner does,
// in whatever way that happens.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "jitproxy/app/config.hpp"
#include "jitproxy/app/config_load.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::app {

class private_daemon {
  public:
    // Forks: the caller must be single-threaded. Returns once it listens. Its journal stays below [state] directory
    // where it cannot be emptied; everything else of it goes with it. `listen`: on the configuration's addresses in
    // place of a port of its own. Errors: configuration, storage, in_use, internal.
    [[nodiscard]] static result<private_daemon> start(config const& c, std::vector<agent> const& agents,
                                                      variable_lookup const& variables, bool listen = false);
    private_daemon(private_daemon&& other) noexcept;
    private_daemon& operator=(private_daemon&&) = delete;
    ~private_daemon();

    [[nodiscard]] control::address const& control() const noexcept { return control_; }
    // Has it end and waits for that. True where the authorization server confirmed that every session is closed.
    [[nodiscard]] bool stop();

  private:
    private_daemon() = default;
    [[nodiscard]] static result<private_daemon> start_once(config c, std::vector<agent> const& agents,
                                                           variable_lookup const& variables, bool listen);
    pid_t pid_ = -1;
    int lifeline_ = -1;
    control::address control_;
};

}  // namespace jitproxy::app
