#include "jitproxy/app/secret_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "jitproxy/app/config_load.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/base/id.hpp"

namespace jitproxy::app {

result<secret_ptr> load_or_make_secret(std::filesystem::path const& file) {
    if (auto made = ensure_directory(file.parent_path()); !made) return made.error();
    int const fd = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) return read_secret_file(file.string());
    if (fd < 0) return make_error(errc::storage, "the secret file " + file.string() + ": " + std::strerror(errno));
    auto text = random_token(32) + "\n";
    bool const written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
    close(fd);
    wipe(text);
    if (!written) return make_error(errc::storage, "the secret file " + file.string() + " cannot be written");
    return read_secret_file(file.string());
}

}  // namespace jitproxy::app
