// Standard input, output and error, as whoever started us left them.
#pragma once

namespace jitproxy::app {

// Opens /dev/null in place of each that is closed, for otherwise a socket or a file of ours would get its number, and
// what is meant for people would be written there. It is opened the other way round: reading from it or writing to it
// fails as with the closed one. First thing in main.
void open_standard_streams() noexcept;

// Whether all that was printed got out; else says on standard error why not. A command whose output nobody can read has
// not done what it was asked.
[[nodiscard]] bool output_written();

}  // namespace jitproxy::app
