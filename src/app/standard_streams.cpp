#include "jitproxy/app/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "jitproxy/app/commands.hpp"

namespace jitproxy::app {

void open_standard_streams() noexcept {
    for (int const fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})  // the lowest free number is what open gives
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            static_cast<void>(open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

bool output_written() {
    errno = 0;
    std::cout.flush();
    bool const good = std::cout.good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    if (good) return true;
    int const why = errno;
    fail(std::string("the output cannot be written") + (why == 0 ? "" : std::string(": ") + std::strerror(why)));
    return false;
}

}  // namespace jitproxy::app
