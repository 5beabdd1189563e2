// What others write, damaged by chance. Each trial is a process of its own, so that even a crash
// names the seed. To try it again: GOCONTAINER_SEED=… build/tests/unit --gtest_filter='Fuzz.*'
// Without one the seeds are always the same: what `make test` finds is of the last change. `make
// fuzz` looks for what nobody has found yet.
//
//   often([&](Chance& chance) { require(!read(damaged(document, chance)), "it is taken"); });
#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <random>
#include <string>

namespace unit {

using nlohmann::json;

class Chance {
public:
    explicit Chance(unsigned seed) : random_(seed) {}
    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }
    template <class List>
    const auto& one_of(const List& list) {
        return list[below(std::size(list))];
    }

private:
    std::mt19937 random_;
};

/// What a check complains of: thrown, so that a trial ends with it.
struct Wrong {
    std::string what;
};
inline void require(bool right, const std::string& what) {
    if (!right)
        throw Wrong{what};
}

/// `trial` in a process of its own: what it says, or how it ended.
std::string try_alone(const std::function<void()>& trial);

/// `trial` with chance from one seed, and from others; a test fails with the seed.
void often(const std::function<void(Chance&)>& trial);

/// Some of the bytes are others, gone, or there again.
std::string damage_bytes(std::string text, Chance& chance);

/// `document` as text: with strange values in it, or with damaged bytes.
std::string damaged(const json& document, Chance& chance);

/// "[[[…]]]"
std::string nested(char open, std::size_t depth, char close);

} // namespace unit
