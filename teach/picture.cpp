// Two columns, the process's and the host's, a row for each namespace; then what is below them.
#include "teach/picture.hpp"

#include "sys/capability.hpp"
#include "teach/describe.hpp"
#include "teach/drawing.hpp"
#include "teach/markup.hpp"
#include "teach/picture_rights.hpp"

#include <algorithm>
#include <map>

namespace teach {

namespace {

// The columns; the user namespace's frame has other boxes in it.
constexpr int kLeft = 10, kLeftEnd = 372;
constexpr int kInner = 22, kInnerEnd = 360;
constexpr int kHost = 408, kHostEnd = 630;
constexpr int kPad = 10;
constexpr int kGap = 14; ///< between two boxes
constexpr std::size_t kInnerLetters = 26, kHostLetters = 16;
constexpr std::size_t kMostLines = 4; ///< of one fact: the text has it whole

/// What stands in a namespace, fact by fact; a fact may take several lines.
Strings contents(const Snapshot& of, const std::string& type) {
    Strings out;
    auto missing = [&](const char* what) {
        const std::string* why = of.why_unread(what);
        if (why != nullptr)
            out.push_back("not readable: " + *why);
        return why != nullptr;
    };
    if (type == "uts" && !missing("hostname")) {
        out.push_back(of.hostname);
        if (!of.domainname.empty())
            out.push_back("domain " + of.domainname);
    } else if (type == "net" && !missing("network links")) {
        if (of.links.empty())
            out.emplace_back("no links");
        for (const Link& link : of.links) {
            out.push_back(link.name + (link.up ? " up" : " down"));
            for (const std::string& address : link.addresses)
                out.push_back("  " + address);
        }
    } else if (type == "mnt" && !missing("mounts")) {
        out.push_back(std::to_string(of.mounts.size()) +
                      (of.mounts.size() == 1 ? " mount" : " mounts"));
        for (const Mount& mount : of.mounts)
            if (mount.point == "/")
                out.push_back("/ is " + mount.type + " " + source_of(mount));
        std::map<std::string, int> kinds; // how many are of which propagation
        for (const Mount& mount : of.mounts)
            ++kinds[mount.propagation.substr(0, mount.propagation.find(':'))];
        for (const auto& [kind, count] : kinds)
            out.push_back(std::to_string(count) + " " + kind);
    } else if (type == "time" && !missing("time offsets")) {
        for (const TimeOffset& offset : of.time_offsets)
            if (offset.seconds != 0 || offset.nanoseconds != 0)
                out.push_back(offset.clock + " " + (offset.seconds < 0 ? "" : "+") +
                              std::to_string(offset.seconds) + " s");
    } else if (type == "cgroup") {
        for (const Cgroup& cgroup : of.cgroups)
            if (cgroup.controllers.empty())
                out.push_back(cgroup.path);
    }
    return out;
}

/// As lsns(8): how many processes, and the first.
void add_members(const Namespace& space, Strings& to) {
    if (space.members == 0)
        return;
    to.push_back(std::to_string(space.members) +
                 (space.members == 1 ? " process:" : " processes:"));
    to.push_back("  " + std::to_string(space.first) + " " + first_user(space) + " " +
                 first_command(space) + (space.members == 1 ? "" : ", …"));
}

class Painter {
public:
    Painter(const Snapshot& of, const Snapshot* host, const Snapshot* before)
        : of_(of), host_(host), before_(before) {}
    std::string all();

private:
    struct Row {
        std::string name;
        std::string tag; ///< "own"
        Strings left, right;
        std::string style;    ///< of the left box
        bool reaches = false; ///< an arrow to the host's side
    };
    void head();
    void spaces();
    void framed(const Namespace& user);
    void id_map(const char* name, const std::vector<IdRange>& map);
    void space(const Namespace& space, int left, int left_end);
    void shared(const Namespace& space);
    void process(int left, int left_end);
    void row(const Row& row, int left, int left_end);
    int lines(int x, int y, const Strings& facts, std::size_t letters, const char* style);
    Strings host_facts(const Namespace& space) const;
    bool changed(const Namespace& space) const;
    /// The class of a box, and what stands in its corner.
    static std::string marked(const std::string& style, bool changed);

    const Snapshot& of_;
    const Snapshot* host_;
    const Snapshot* before_;
    Drawing draw_;
    int y_ = 0;
};

/// Each fact in as many lines as it takes; where they end.
int Painter::lines(int x, int y, const Strings& facts, std::size_t letters, const char* style) {
    for (const std::string& fact : facts)
        for (const std::string& line : broken(fact, letters, kMostLines)) {
            draw_.text(x, y, style, line);
            y += Drawing::kLine;
        }
    return y;
}

void Painter::head() {
    y_ = 12;
    for (const std::string& line : broken(title(of_), 37, 3)) {
        draw_.text(kLeft, y_ + 4, "title", line);
        y_ += 36;
    }
    y_ = lines(kLeft, y_ + 4, {"process " + std::to_string(of_.pid) + ", " + of_.state}, 50, "mu") +
         8;
}

/// What the host has in the place of `space`.
Strings Painter::host_facts(const Namespace& space) const {
    Strings out{space.host == 0 ? "not readable" : std::to_string(space.host)};
    if (host_ == nullptr)
        return out;
    const Namespace* same = host_->space(space.type);
    if (same == nullptr || same->inode != space.host)
        return out; // the snapshot is of another machine, or another time
    for (std::string& fact : contents(*host_, space.type))
        out.push_back(std::move(fact));
    add_members(*same, out);
    return out;
}

/// Is it another than before, or is something else in it?
bool Painter::changed(const Namespace& space) const {
    if (before_ == nullptr)
        return false;
    const Namespace* same = before_->space(space.type);
    return same == nullptr || same->inode != space.inode ||
           contents(*before_, space.type) != contents(of_, space.type);
}

std::string Painter::marked(const std::string& style, bool changed) {
    return changed ? style + " changed" : style;
}

void Painter::row(const Row& row, int left, int left_end) {
    std::size_t mark = draw_.mark();
    int y = y_ + 8;
    draw_.text(left + kPad, y, "head", row.name);
    draw_.text_until(left_end - kPad, y, row.reaches ? "mu" : "tag", row.tag);
    auto letters = static_cast<std::size_t>((left_end - left - 2 * kPad) / Drawing::kLetter);
    int left_y = lines(left + kPad, y + 30, row.left, letters, "mono");
    draw_.text(kHost + kPad, y, "mu", row.name);
    int right_y = lines(kHost + kPad, y + 30, row.right, kHostLetters, "mono");
    if (row.reaches)
        draw_.arrow(left_end + 4, kHost + 2, y_ + 20, "share");
    int bottom = std::max(left_y, right_y) + 6;
    draw_.box_behind(mark, left, y_, left_end - left, (row.reaches ? left_y + 6 : bottom) - y_,
                     row.style);
    y_ = bottom + kGap;
}

void Painter::space(const Namespace& space, int left, int left_end) {
    Row row{.name = spoken(space.type),
            .tag = changed(space) ? "own, changed" : "own",
            .left = {},
            .right = {},
            .style = marked("own", changed(space))};
    row.left.push_back(std::to_string(space.inode));
    for (std::string& fact : contents(of_, space.type))
        row.left.push_back(std::move(fact));
    add_members(space, row.left);
    if (space.for_children != 0)
        row.left.push_back("for its children " + std::to_string(space.for_children));
    if (left == kLeft && space.owner != 0) // not in a frame that says so
        row.left.push_back("owned by user " + std::to_string(space.owner));
    row.right = host_facts(space);
    this->row(row, left, left_end);
}

void Painter::shared(const Namespace& space) {
    Row row{.name = spoken(space.type),
            .tag = space.host == 0 ? "whose?" : "the host's",
            .left = {},
            .right = {},
            .style = "dashed",
            .reaches = space.host != 0};
    if (space.host == 0)
        row.left.push_back(std::to_string(space.inode));
    if (space.for_children != 0)
        row.left.push_back("for its children " + std::to_string(space.for_children));
    row.right = host_facts(space);
    if (space.host != 0 && row.right.size() == 1) // nobody has told of the host: then it tells
        for (std::string& fact : contents(of_, space.type))
            row.right.push_back(std::move(fact));
    this->row(row, kLeft, kLeftEnd);
}

void Painter::id_map(const char* name, const std::vector<IdRange>& map) {
    constexpr std::size_t kMost = 5;
    auto range = [](std::uint32_t first, std::uint32_t count) {
        return std::to_string(first) +
               (count <= 1 ? "" : "–" + std::to_string(std::uint64_t{first} + count - 1));
    };
    for (std::size_t i = 0; i < map.size() && i < kMost; ++i) {
        draw_.text_until(kInnerEnd - kPad, y_, "mono",
                         name + (" " + range(map[i].inside, map[i].count)));
        draw_.arrow(kInnerEnd - 4, kHost + kPad - 2, y_ + 13, "map");
        draw_.text(kHost + kPad, y_, "mono", range(map[i].outside, map[i].count));
        y_ += Drawing::kLine;
    }
    if (map.size() > kMost)
        y_ = lines(kInner, y_, {"and " + std::to_string(map.size() - kMost) + " ranges more"},
                   kInnerLetters, "mu");
    if (map.empty())
        y_ = lines(kInner, y_,
                   {std::string(name) + (of_.why_unread(name + std::string(" map")) != nullptr
                                             ? " map: not readable"
                                             : " map: none yet, all are nobody")},
                   kInnerLetters, "mono");
}

/// Number, user and group of the process, inside and outside.
void Painter::process(int left, int left_end) {
    auto inside = [](const std::vector<IdRange>& map, std::uint32_t id) {
        for (const IdRange& range : map)
            if (id >= range.outside && id - range.outside < range.count)
                return std::to_string(range.inside + (id - range.outside));
        return std::string("nobody");
    };
    bool new_self =
        before_ != nullptr && (before_->pids != of_.pids || before_->uid != of_.uid ||
                               before_->gid != of_.gid || before_->executable != of_.executable ||
                               before_->root != of_.root || before_->cwd != of_.cwd);
    std::size_t mark = draw_.mark();
    int top = y_;
    draw_.text(left + kPad, y_ + 8, "head", "the process");
    if (new_self)
        draw_.text_until(left_end - kPad, y_ + 8, "tag", "changed");
    draw_.text(kHost + kPad, y_ + 8, "mu", "seen from here");
    y_ += 38;
    auto both = [&](const std::string& one, const std::string& other) {
        draw_.text(left + kPad, y_, "mono", one);
        draw_.arrow(left_end - 60, kHost + kPad - 2, y_ + 13, "map");
        draw_.text(kHost + kPad, y_, "mono", other);
        y_ += Drawing::kLine;
    };
    std::int32_t own = of_.pids.empty() ? of_.pid : of_.pids.back();
    both("pid " + std::to_string(own), "pid " + std::to_string(of_.pid));
    both("uid " + inside(of_.uid_map, of_.uid.effective),
         "uid " + std::to_string(of_.uid.effective));
    both("gid " + inside(of_.gid_map, of_.gid.effective),
         "gid " + std::to_string(of_.gid.effective));
    auto letters = static_cast<std::size_t>((left_end - left - 2 * kPad) / Drawing::kLetter);
    Strings places;
    if (!of_.executable.empty())
        places.push_back("runs " + of_.executable);
    if (!of_.root.empty())
        places.push_back("root " + of_.root + ", in " + of_.cwd);
    y_ = lines(left + kPad, y_, places, letters, "mono") + 6;
    draw_.box_behind(mark, left, top, left_end - left, y_ - top, marked("process", new_self));
    y_ += kGap;
}

/// A user namespace of its own, with what that owns inside.
void Painter::framed(const Namespace& user) {
    std::size_t mark = draw_.mark();
    int top = y_;
    y_ += 8;
    draw_.text(kInner, y_, "head", "user namespace");
    auto same_map = [](const std::vector<IdRange>& one, const std::vector<IdRange>& other) {
        return std::ranges::equal(one, other, [](const IdRange& a, const IdRange& b) {
            return a.inside == b.inside && a.outside == b.outside && a.count == b.count;
        });
    };
    bool other =
        changed(user) || (before_ != nullptr && (!same_map(before_->uid_map, of_.uid_map) ||
                                                 !same_map(before_->gid_map, of_.gid_map)));
    draw_.text_until(kInnerEnd, y_, "tag", other ? "own, changed" : "own");
    draw_.text(kHost + kPad, y_, "mu", "user");
    Strings facts{std::to_string(user.inode)};
    if (user.owner_uid)
        facts.push_back("made by uid " + std::to_string(*user.owner_uid));
    for (std::uint64_t parent : user.above)
        facts.push_back("in " + std::to_string(parent) +
                        (parent == user.host ? ", the host's" : ""));
    add_members(user, facts);
    Strings theirs = host_facts(user);
    y_ += 30;
    int right = lines(kHost + kPad, y_, theirs, kHostLetters, "mono");
    y_ = std::max(lines(kInner, y_, facts, kInnerLetters, "mono"), right);
    id_map("uid", of_.uid_map);
    id_map("gid", of_.gid_map);
    y_ = lines(kInner, y_, {"setgroups " + of_.setgroups}, kInnerLetters, "mono") + kGap;
    for (const Namespace& one : of_.namespaces)
        if (one.type != "user" && one.own() && one.owner == user.inode)
            space(one, kInner, kInnerEnd);
    process(kInner, kInnerEnd);
    draw_.box_behind(mark, kLeft, top, kLeftEnd - kLeft, y_ - top, marked("user", other));
    y_ += kGap;
}

void Painter::spaces() {
    std::size_t mark = draw_.mark();
    int top = y_;
    draw_.text(kLeft, y_ + 8, "head", "its namespaces");
    draw_.text(kHost + kPad, y_ + 8, "head", "the host's");
    draw_.text(kHost + kPad, y_ + 34, "mu", "(" + of_.host + ")");
    y_ += 66;
    const std::string* why = of_.why_unread("namespaces");
    const Namespace* user = of_.space("user");
    bool frame = user != nullptr && user->own();
    if (why != nullptr)
        y_ = lines(kLeft, y_, {"not readable: " + *why}, 30, "mono") + kGap;
    if (frame)
        framed(*user);
    for (const Namespace& one : of_.namespaces)
        if (one.own() && one.type != "user" && (!frame || one.owner != user->inode))
            space(one, kLeft, kLeftEnd);
    if (!frame)
        process(kLeft, kLeftEnd);
    for (const Namespace& one : of_.namespaces)
        if (!one.own())
            shared(one);
    draw_.box_behind(mark, kHost, top, kHostEnd - kHost, y_ - top, "host");
    y_ += kGap;
}

std::string Painter::all() {
    head();
    spaces();
    y_ = draw_cgroup(draw_, of_, y_);
    y_ = draw_capabilities(draw_, of_, before_, y_);
    y_ = draw_restrictions(draw_, of_, before_, y_);
    std::string size = std::to_string(Drawing::kWidth) + " " + std::to_string(y_);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" role=\"img\" viewBox=\"0 "
           "0 " +
           size + "\">\n<title>" + xml("process " + std::to_string(of_.pid) + ": " + title(of_)) +
           " in its namespaces, beside the host's</title>\n<rect width=\"" +
           std::to_string(Drawing::kWidth) + "\" height=\"" + std::to_string(y_) +
           "\" class=\"ground\"/>\n" + draw_.shapes() + "</svg>\n";
}

} // namespace

std::string picture(const Snapshot& of, const Snapshot* host, const Snapshot* before) {
    return Painter(of, host, before).all();
}

std::string picture_file(const Snapshot& of, const Snapshot* host) {
    std::string out = picture(of, host);
    std::size_t first = out.find("<title>");
    out.insert(first, "<style>\n" + picture_style() + "</style>\n");
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + out;
}

} // namespace teach
