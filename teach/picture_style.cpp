// How a picture looks, by day and by night.
#include "teach/picture.hpp"

namespace teach {

std::string picture_style() {
    return R"(.picture { width: 100%; max-width: 800px; height: auto; }
.picture text { font: 20px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  fill: #14171c; white-space: pre; }
.picture .title { font-size: 28px; font-weight: bold; }
.picture .head { font-weight: bold; font-size: 22px; font-family: system-ui, sans-serif; }
.picture .mu { fill: #4a5160; font-family: system-ui, sans-serif; }
.picture .tag { fill: #0b57a4; font-weight: bold; font-family: system-ui, sans-serif; }
.picture .ground { fill: #fff; }
.picture .user { fill: #f3f8fe; stroke: #0b57a4; stroke-width: 4; }
.picture .own { fill: #fff; stroke: #0b57a4; stroke-width: 2; }
.picture .process { fill: #dcebfb; stroke: #0b57a4; stroke-width: 2; }
.picture .changed { stroke: #0a6b2d; stroke-width: 5; }
.picture .host { fill: #faf3df; stroke: #7a5c00; stroke-width: 2; }
.picture .dashed { fill: none; stroke: #7a5c00; stroke-width: 2; stroke-dasharray: 8 5; }
.picture line.share { stroke: #7a5c00; stroke-width: 3; stroke-dasharray: 8 5; }
.picture polygon.share { fill: #7a5c00; }
.picture line.map { stroke: #8a1f6a; stroke-width: 3; }
.picture polygon.map { fill: #8a1f6a; }
.picture .track { fill: #e8ecf1; stroke: #5b6473; stroke-width: 2; }
.picture .bar { fill: #0b57a4; }
.picture .held { fill: #0b57a4; stroke: #0b57a4; }
.picture text.letter { fill: #fff; font-weight: bold; }
.picture .lost { fill: none; stroke: #a01c1c; stroke-width: 2; stroke-dasharray: 5 4; }
.picture text.lost { fill: #a01c1c; stroke: none; text-decoration: line-through; }
.picture .empty { fill: none; stroke: #8a93a3; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  .picture text { fill: #eef1f5; }
  .picture .mu { fill: #b9c1cd; }
  .picture .tag { fill: #8cc3fa; }
  .picture .ground { fill: #14171c; }
  .picture .user { fill: #12202f; stroke: #6fb1f3; }
  .picture .own { fill: #14171c; stroke: #6fb1f3; }
  .picture .process { fill: #1c3854; stroke: #6fb1f3; }
  .picture .changed { stroke: #7fdc9c; }
  .picture .host { fill: #2a2413; stroke: #d9b44a; }
  .picture .dashed, .picture line.share { stroke: #d9b44a; }
  .picture polygon.share { fill: #d9b44a; }
  .picture line.map { stroke: #e8a3d3; }
  .picture polygon.map { fill: #e8a3d3; }
  .picture .track { fill: #2a303a; stroke: #97a1b0; }
  .picture .bar, .picture .held { fill: #6fb1f3; stroke: #6fb1f3; }
  .picture text.letter { fill: #0c1520; }
  .picture .lost { stroke: #ff9d95; }
  .picture text.lost { fill: #ff9d95; }
  .picture .empty { stroke: #6b7483; }
}
)";
}

} // namespace teach
