"""Tables as pictures: where each bar and word of an SVG stands. The template draws it, in the style sheet's colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.dashboard import Cell, Table

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 10.0, 24.0
TICKS = 4
MOST_LABELS = 8
LEVELS = 6
ROW = 34.0
SIDE = 128.0
SHADES = 7


@dataclass(frozen=True, slots=True)
class Bar:
    """`look`: a class of the style sheet. `title`: what pointing at it says."""

    x: float
    y: float
    width: float
    height: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Word:
    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(slots=True)
class Chart:
    """`lines`: heights of the grid. `legend`: looks and their names."""

    width: float = WIDTH
    height: float = HEIGHT
    bars: list[Bar] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    lines: list[float] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)

    @property
    def right(self) -> float:
        return self.width - RIGHT


def number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


def stacked(table: Table) -> Chart:
    """A column for each row of the table, the other columns on top of one another."""
    chart, names = Chart(), table.columns[1:]
    top = rounded_up(max((sum(map(number, row[1:])) for row in table.rows), default=0))
    room, base = WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM
    step = room / max(len(table.rows), 1)
    for index, row in enumerate(table.rows):
        y = base
        for series, cell in enumerate(row[1:]):
            height = number(cell) / top * (base - TOP)
            y -= height
            if height > 0:
                x = LEFT + index * step + step * 0.12
                title = f"{row[0]}, {names[series]}: {cell}"
                chart.bars.append(Bar(r(x), r(y), r(step * 0.76), r(height), f"series-{series % 6}", title))
    _add_axes(chart, top, [str(row[0]) for row in table.rows], step)
    if len(names) > 1:
        chart.legend = [(f"series-{series % 6}", name) for series, name in enumerate(names)]
    return chart


def _add_axes(chart: Chart, top: float, labels: Sequence[str], step: float) -> None:
    for tick in range(TICKS + 1):
        y = HEIGHT - BOTTOM - tick / TICKS * (HEIGHT - BOTTOM - TOP)
        chart.lines.append(r(y))
        chart.words.append(Word(LEFT - 6, r(y + 4), short(top * tick / TICKS), "end"))
    every = -(-len(labels) // MOST_LABELS) or 1
    for index in range(0, len(labels), every):
        text = labels[index][5:] if labels[index][:2] == "20" else labels[index]
        chart.words.append(Word(r(LEFT + (index + 0.5) * step), HEIGHT - 6, text))


def ranked(table: Table, column: int = -1) -> Chart:
    """A bar to the right for each row, by the number in that column."""
    rows = [row for row in table.rows if number(row[column]) > 0]
    chart = Chart(height=ROW * max(len(rows), 1))
    most = max((number(row[column]) for row in rows), default=1)
    for index, row in enumerate(rows):
        y, width = index * ROW, number(row[column]) / most * (WIDTH - 60)
        chart.words.append(Word(0, r(y + 13), str(row[0])[:80], "start"))
        chart.bars.append(Bar(0, r(y + 18), r(max(width, 2)), 10, "series-0", f"{row[0]}: {row[column]}"))
        chart.words.append(Word(r(max(width, 2) + 6), r(y + 27), str(row[column]), "start"))
    return chart


def shares(table: Table, last: int = -1) -> Chart:
    """A bar of full width for each row, divided among its columns up to `last`."""
    names, room = table.columns[1:last], WIDTH - SIDE - RIGHT
    chart = Chart(height=ROW * len(table.rows) + 8)
    for index, row in enumerate(table.rows):
        cells, x, y = row[1:last], SIDE, index * ROW
        whole = sum(map(number, cells))
        chart.words.append(Word(SIDE - 8, r(y + 22), str(row[0]), "end"))
        for shade, cell in enumerate(cells):
            width = number(cell) / whole * room if whole else 0
            if width > 0:
                title = f"{row[0]}, {names[shade]}: {cell}"
                chart.bars.append(Bar(r(x), y + 6, r(width), ROW - 12, f"shade-{shade % SHADES}", title))
            x += width
    chart.legend = [(f"shade-{shade % SHADES}", name) for shade, name in enumerate(names)]
    return chart


def heat(table: Table) -> Chart:
    """A square for each cell, the darker the more."""
    columns = len(table.columns) - 1
    side = (WIDTH - LEFT - RIGHT) / max(columns, 1)
    chart = Chart(height=side * len(table.rows) + BOTTOM)
    most = max((number(cell) for row in table.rows for cell in row[1:]), default=0)
    for index, row in enumerate(table.rows):
        chart.words.append(Word(LEFT - 8, r(index * side + side * 0.65), str(row[0]), "end"))
        for column, cell in enumerate(row[1:]):
            level = -(-number(cell) * LEVELS // most) if most else 0
            title = f"{row[0]} {table.columns[column + 1]}:00: {cell}"
            place = r(LEFT + column * side), r(index * side)
            chart.bars.append(Bar(*place, r(side - 2), r(side - 2), f"heat-{int(level)}", title))
    for column in range(0, columns, 3):
        chart.words.append(Word(r(LEFT + (column + 0.5) * side), r(chart.height - 8), table.columns[column + 1]))
    return chart


def rounded_up(most: float) -> float:
    """The next number of one digit, or one and a half, that the grid divides well."""
    if most <= TICKS:
        return float(TICKS)
    size = 10.0 ** (len(str(int(most))) - 1)
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= most)


def short(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def r(value: float) -> float:
    return round(value, 1)
