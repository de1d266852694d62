// The log's way into systemd's journal by its native protocol, field by field.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/base/log.hpp"

namespace jitproxy::app {

// Where systemd-journald listens; $JITPROXY_JOURNAL_SOCKET names another place.
constexpr auto journal_socket_path = "/run/systemd/journal/socket";

// `variable`: $JOURNAL_STREAM, "DEVICE:INODE" of what a service manager has connected to the journal (systemd.exec(5)).
// True where the descriptor still is that: output may have been redirected since.
[[nodiscard]] bool is_journal_stream(std::string_view variable, int descriptor);

// What [log] format means here: "auto" is journald where stderr goes to the journal, else text.
[[nodiscard]] log::format log_format(std::string_view configured);

// The log's datagrams go to this socket from now on; what it does not take at once is written to stderr as text. The
// first call counts. Before threads start.
void open_systemd_journal(std::string const& path);

}  // namespace jitproxy::app
