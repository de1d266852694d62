#include "jitproxy/audit/verify.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "open_trail.hpp"

namespace jitproxy::audit {
namespace fs = std::filesystem;
namespace {

std::string lines_text(std::uint64_t first, std::uint64_t last) {
    return first == last
               ? "line " + std::to_string(first) + " of the trail is missing"
               : "lines " + std::to_string(first) + " to " + std::to_string(last) + " of the trail are missing";
}

struct place {
    std::string file;
    std::uint64_t line = 0;
};

class reader {
  public:
    reader(verdict& out, std::optional<head> const& noted, int lock) : out_(out), noted_(noted), lock_(lock) {}

    void read(fs::path const& file) {
        std::ifstream in(file, std::ios::binary);
        if (!in) return report({file.string(), 0}, std::string("cannot be read: ") + std::strerror(errno));
        place at{file.string(), 0};
        std::string line;
        std::streamoff begins = 0;
        while (std::getline(in, line)) {
            ++at.line;
            if (in.eof() && !finished_meanwhile(in, begins, line))
                unfinished(at);
            else
                take(at, line);
            begins += static_cast<std::streamoff>(line.size()) + 1;
        }
        if (in.bad()) report(at, "cannot be read to its end");
        give_up_on_odd();  // what vouches for it stands right behind it
    }

    void finish(std::optional<kept_head> const& kept, fs::path const& trail) {
        if (noted_ && !noted_found_)
            report(last_, "the noted head, line " + std::to_string(noted_->seq) + ", is not in these files");
        if (!kept || kept->head.seq == 0) return;
        if (out_.lines == 0)
            report({trail.string(), 0}, "cut: " + lines_text(1, kept->head.seq));
        else if (kept->head.seq > out_.last.seq)
            report(last_, "cut at the end: " + lines_text(out_.last.seq + 1, kept->head.seq));
        else if (kept->head.seq == out_.last.seq && kept->head.hash != out_.last.hash)
            report(last_, "changed: its SHA-256 is not what was kept when it was written");
    }

    void report(place const& at, std::string what) {
        ++out_.problem_count;
        if (out_.problems.size() < verdict::most_problems) out_.problems.push_back({at.file, at.line, std::move(what)});
    }

  private:
    // A daemon may be in the middle of this line.
    [[nodiscard]] bool finished_meanwhile(std::ifstream& in, std::streamoff begins, std::string& line) const {
        if (lock_ < 0 || ::flock(lock_, LOCK_SH) != 0) return false;
        ::flock(lock_, LOCK_UN);
        in.clear();
        in.seekg(begins);
        std::getline(in, line);
        return !in.eof();
    }

    void unfinished(place const& at) {
        give_up_on_odd();
        report(at,
               "torn: the line has no end, as a crash in the middle of writing it leaves behind; the next line that is "
               "written marks it");
    }

    void take(place const& at, std::string const& line) {
        auto const facts = read_line(line);
        if (!facts) {
            give_up_on_odd();
            odd_ = line;
            odd_at_ = at;
            return;
        }
        if (facts->event == torn_event && odd_ && odd_->size() == facts->torn_bytes &&
            hash_of(*odd_) == facts->torn_hash) {
            ++out_.torn;
            odd_.reset();
        }
        give_up_on_odd();
        check(at, *facts);
        auto const hash = hash_of(line);
        if (noted_ && noted_->seq == facts->seq) {
            noted_found_ = true;
            if (hash != noted_->hash)
                report(at, "changed: its SHA-256 is not that of the noted head, line " + std::to_string(noted_->seq));
        }
        if (out_.lines++ == 0) {
            out_.first_seq = facts->seq;
            out_.first_time = facts->time;
        }
        out_.last_time = facts->time;
        out_.last = {facts->seq, hash};
        last_ = at;
    }

    // Against the line before. Afterwards the chain is taken up from this line, so that one change is told once.
    void check(place const& at, line_facts const& facts) {
        auto const expected = out_.last.seq + 1;
        bool const first = out_.lines == 0;
        if (first && facts.seq == 1 && facts.prev != head().hash)
            report(at, "changed: the first line of a trail follows on from nothing");
        if (first) return;
        if (facts.seq == 1)
            report(at, "another trail begins here: what came after line " + std::to_string(out_.last.seq) +
                           " is not in these files, or the trail was begun anew");
        else if (facts.seq > expected)
            report(at, lines_text(expected, facts.seq - 1) + " before this one");
        else if (facts.seq < expected)
            report(at, "out of order: line " + std::to_string(facts.seq) + " of the trail stands after line " +
                           std::to_string(out_.last.seq));
        else if (facts.prev != out_.last.hash)
            report(last_, "changed: its SHA-256 is not what the line after it says (" + at.file + ":" +
                              std::to_string(at.line) + "), or that one was changed");
    }

    void give_up_on_odd() {
        if (!odd_) return;
        report(odd_at_, "changed: this is no line of an audit trail, and none after it says that a crash tore it");
        odd_.reset();
    }

    verdict& out_;
    std::optional<head> noted_;
    int lock_;  // the head file; -1: there is none
    bool noted_found_ = false;
    std::optional<std::string> odd_;  // the line before, which cannot be read
    place odd_at_;
    place last_;
};

std::optional<kept_head> read_kept_head(int fd) {
    if (fd < 0) return std::nullopt;
    std::string text(512, '\0');
    auto const n = ::pread(fd, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return parse_kept_head(text);
}

std::uint64_t first_seq(fs::path const& file) {
    std::ifstream in(file, std::ios::binary);
    std::string line;
    while (std::getline(in, line))
        if (auto const facts = read_line(line)) return facts->seq;
    return UINT64_MAX;
}

}  // namespace

std::string problem::text() const {
    return file + ":" + (line > 0 ? std::to_string(line) + ": " : " ") + what;
}

verdict verify(std::vector<fs::path> const& files, fs::path const& trail, std::optional<head> const& noted) {
    verdict out;
    descriptor const lock(::open(head_file(trail).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    // Taken before the files are read: a daemon may write on meanwhile, and then there is more in them, never less.
    auto const kept = read_kept_head(lock.get());
    reader all(out, noted, lock.get());
    for (auto const& file : files) all.read(file);
    all.finish(kept, trail);
    return out;
}

trail_files files_of(fs::path const& trail) {
    trail_files out;
    std::vector<std::pair<std::uint64_t, fs::path>> found;
    auto const name = trail.filename().string();
    std::error_code ec;
    auto const directory = trail.has_parent_path() ? trail.parent_path() : fs::path(".");
    for (auto const& each : fs::directory_iterator(directory, ec)) {
        auto const other = each.path().filename().string();
        bool const renamed = other.size() > name.size() + 1 && other.starts_with(name) &&
                             (other[name.size()] == '.' || other[name.size()] == '-');
        if ((other != name && !renamed) || each.path() == head_file(trail) || !each.is_regular_file(ec)) continue;
        auto const ending = each.path().extension();
        if (ending == ".gz" || ending == ".xz" || ending == ".zst" || ending == ".bz2")
            ++out.left_out;
        else
            found.emplace_back(other == name ? UINT64_MAX : first_seq(each.path()), each.path());
    }
    std::sort(found.begin(), found.end());
    for (auto& each : found) out.files.push_back(std::move(each.second));
    return out;
}

}  // namespace jitproxy::audit
