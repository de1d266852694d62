#include "open_trail.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "jitproxy/base/log.hpp"

namespace jitproxy::audit {
namespace {

constexpr int lock_attempts = 200;              // a millisecond apart
constexpr std::size_t tail = 2 * longest_line;  // of a file that the head does not know: its last line is in here

descriptor open_regular(std::filesystem::path const& file, int flags) {
    descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
    struct stat info {};
    if (fd.get() < 0 || (::fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode))) return fd;
    errno = EINVAL;
    return descriptor();
}

bool lock(int fd) {
    timespec const pause{0, 1'000'000};
    for (int i = 0; i != lock_attempts; ++i) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        ::nanosleep(&pause, nullptr);
    }
    return false;
}

bool read_at(int fd, std::uint64_t from, std::string& into) {  // fills `into`, or less at the file's end
    std::size_t have = 0;
    while (have < into.size()) {
        auto const n = ::pread(fd, into.data() + have, into.size() - have, static_cast<off_t>(from + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) break;
        have += static_cast<std::size_t>(n);
    }
    into.resize(have);
    return true;
}

}  // namespace

descriptor::~descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

error open_trail::failed(std::string_view doing) const {
    return make_error(errc::storage, "the audit trail " + file_.string() + " cannot be " + std::string(doing) + ": " +
                                         std::strerror(errno));
}

result<open_trail> open_trail::open(std::filesystem::path const& file) {
    open_trail out(file);
    out.lock_ = open_regular(head_file(file), 0);
    if (out.lock_.get() < 0) return out.failed("opened (its .head)");
    if (!lock(out.lock_.get())) return out.failed("locked");
    out.lines_ = open_regular(file, O_APPEND);
    if (out.lines_.get() < 0) return out.failed("opened");
    if (auto found = out.find_head(); !found) return found.error();
    return out;
}

result<bool> open_trail::take_up() {
    if (!lock(lock_.get())) return failed("locked");
    struct stat there {};
    struct stat beside {};
    bool const renamed = ::lstat(file_.c_str(), &there) != 0 || there.st_ino != kept_.inode || there.st_dev != device_;
    if (renamed || ::fstat(lock_.get(), &beside) != 0 || beside.st_nlink == 0) return false;
    if (static_cast<std::uint64_t>(there.st_size) == kept_.size) return true;  // nobody else has written
    if (auto found = find_head(); !found) return found.error();
    return true;
}

void open_trail::let_go() noexcept {
    ::flock(lock_.get(), LOCK_UN);
}

// Where the head and the file agree, nothing is read. Otherwise the file is another one (renamed, restored) or has more
// in it (a crash between a line and its head): what follows on from the head counts, and an unfinished line is kept for
// the caller to mark.
result<void> open_trail::find_head() {
    torn_.clear();
    std::string text(512, '\0');
    if (!read_at(lock_.get(), 0, text)) return failed("read (its .head)");
    auto const kept = parse_kept_head(text);
    if (kept) kept_ = *kept;
    struct stat info {};
    if (::fstat(lines_.get(), &info) != 0) return failed("read");
    auto const size = static_cast<std::uint64_t>(info.st_size);
    bool const same = kept && kept_.inode == info.st_ino;
    if (kept && !same) catch_up_with_renamed();
    if (same && kept_.size > size)
        log::error("the audit trail was cut: it is shorter than what was written",
                   {{"file", file_.string()}, {"bytes", size}, {"written", kept_.size}});
    auto from = same && kept_.size <= size ? kept_.size : size - std::min<std::uint64_t>(size, tail);
    kept_.inode = info.st_ino;
    device_ = info.st_dev;
    kept_.size = size;
    if (from == size) return {};
    text.assign(size - from, '\0');
    if (size - from > tail) {  // far more than a crash leaves: somebody else's
        from = size - tail;
        text.assign(tail, '\0');
    }
    if (!read_at(lines_.get(), from, text)) return failed("read");
    torn_ = take_lines(text);
    return {};
}

// What follows on from the head there counts. What is left: an unfinished line.
std::string_view open_trail::take_lines(std::string_view text) {
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        auto const line = text.substr(0, end);
        if (auto const facts = read_line(line); facts && facts->seq > kept_.head.seq)
            kept_.head = {facts->seq, hash_of(line)};
        text.remove_prefix(end + 1);
    }
    return text;
}

// The file that the head tells of was renamed: after a crash between a line and its head there is a line in it whose
// number must not be given again.
void open_trail::catch_up_with_renamed() {
    std::error_code ec;
    auto const place = file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
    for (std::filesystem::directory_iterator at(place, ec), end; !ec && at != end; at.increment(ec)) {
        auto const& path = at->path();
        if (!path.filename().string().starts_with(file_.filename().string())) continue;
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_ino != kept_.inode) continue;
        descriptor const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        std::string text(tail, '\0');
        if (fd.get() >= 0 && read_at(fd.get(), kept_.size, text)) (void)take_lines(text);
        return;
    }
}

result<void> open_trail::add(std::string_view line, std::string_view before) {
    auto bytes = std::string(before);
    bytes.append(line).append("\n");
    std::size_t done = 0;
    while (done < bytes.size()) {
        auto const n = ::write(lines_.get(), bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            auto const why = failed("written");
            // Back to whole lines. Where even that cannot be done, the next line marks what is left.
            if (done > 0 && ::ftruncate(lines_.get(), static_cast<off_t>(kept_.size)) != 0)
                log::warning("a part of a line stays in the audit trail", {{"file", file_.string()}});
            return why;
        }
        done += static_cast<std::size_t>(n);
    }
    torn_.clear();
    kept_.size += bytes.size();
    kept_.head = {kept_.head.seq + 1, hash_of(line)};
    auto const text = to_text(kept_);
    // Of a head that is behind, the next line finds the rest in the file itself.
    if (::pwrite(lock_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        log::warning("the head of the audit trail cannot be written",
                     {{"file", head_file(file_).string()}, {"reason", std::strerror(errno)}});
    return {};
}

}  // namespace jitproxy::audit
