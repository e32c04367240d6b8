"""What tells one language of arrays from another: a `Target`, the table that the writers read.

`code_matrix.py` and `code_nodes.py` walk an expression and ask the target for the template of each
operation by a word (`matmul`, `solve`, `sum`, …); there is one walker for all languages. A word
that the table lacks is something that the language cannot say, which is an error that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tensorcalc.errors import DomainError
from tensorcalc.lazy import Lazy
from tensorcalc.printing.code import NUMBER, Code, Codes, Pieces, commas
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM


@dataclass(frozen=True)
class Target:
    """A language, or a library of one.

    Vectors have one axis in the writers, and a row is the same vector as a column; a language
    whose vectors are columns (`has_columns`) makes a row of one where a template says so.

    Attributes
    ----------
    words
        The template of every operation; ``max@2`` is `max` of an array of two axes, where that
        differs from `max`.
    functions
        Elementwise functions, as in `functions.py`; ``@`` stands where a language of broadcasting
        dots has one.
    along
        Reductions of one axis, ``%d``. `squeezed` is what takes the axis away afterwards: of the
        first axis of two, of the last of two, of the last of more.
    helpers
        Functions that the printed code brings along, by the names that call them.
    reserved
        Names that arguments must not have, beside those in the templates.
    dots
        What stands before an operator on entries: before ``* / ^`` of arrays, and before ``+ - <``
        of an array and a number.
    """

    name: str
    title: str
    words: Mapping[str, str]
    functions: Mapping[str, str]
    along: Mapping[str, str]
    helpers: Mapping[str, str]
    reserved: frozenset[str]
    squeezed: tuple[str, str, str] = ("{0}", "{0}", "{0}")
    base: int = 0  # of subscripts
    dots: tuple[str, str] = ("", "")
    compares: Mapping[str, str] = field(
        default_factory=lambda: {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
    )
    goes_on: str = ""  # at the end of a line that is not finished
    has_columns: bool = False
    is_batched: bool = True  # whether functions of matrices take stacks of them
    has_tensors: bool = False  # whether functions refuse plain numbers
    static_integers: bool = False  # whether an integer argument stays a plain number

    @Lazy
    def taken(self) -> frozenset[str]:
        """Every name that the printed code may use for itself."""
        texts = [*self.words.values(), *self.functions.values(), *self.along.values()]
        bare = [re.sub(r"\{[^{}]*\}", " ", text) for text in texts]
        word = re.compile(r"(?<![\w.])[A-Za-z]\w*(?!\w|=[^=])")  # no names of keywords
        found = {name for text in bare for name in word.findall(text)}
        return self.reserved | (found - {"x"}) | set(self.helpers)  # x is bound where it stands

    def used_helpers(self, text: str) -> Iterator[str]:
        """The helpers that a text calls, and those that they call, in the table's order."""
        wanted, more = set[str](), [text]
        while more:
            shown = more.pop()
            for name, helper in self.helpers.items():
                if name not in wanted and re.search(rf"(?<![\w.]){name}\.?\(", shown):
                    wanted.add(name)
                    more.append(helper)
        return (text for name, text in self.helpers.items() if name in wanted)


class Spoken:
    """`Codes` in the words of a target: what the two writers build expressions with.

    `entrywise` are the unknown functions of numbers that are applied to the entries of arrays.
    """

    def __init__(self, codes: Codes, target: Target, entrywise: frozenset[str]) -> None:
        self.codes, self.target, self.entrywise = codes, target, entrywise

    def say(
        self,
        word: str,
        *args: Code,
        rank: int | None = None,
        lists: Sequence[Pieces] = (),
        ends: str = "",
    ) -> Code:
        """An operation of the table.

        Raises
        ------
        DomainError
            The language has no such operation.
        """
        return self.codes.call(self.template(word), *args, rank=rank, lists=lists, ends=ends)

    def template(self, word: str) -> str:
        """The template of an operation."""
        found = self.target.words.get(word)
        if found is None:
            raise lacking(word.partition("@")[0], self.target)
        return found

    def known(self, word: str) -> bool:
        """Whether the target has an operation."""
        return word in self.target.words

    def apply(self, function: str, *args: Code) -> Code:
        """An elementwise function."""
        found = self.target.functions.get(function)
        if found is None:
            raise lacking(function, self.target)
        args = tuple([self.tensor(arg) for arg in args])
        rank = max(arg.rank for arg in args)
        return self.codes.call(found.replace("@", "." if rank > 0 else ""), *args)

    def tensor(self, x: Code) -> Code:
        """An argument of a function; where those must be arrays, a number is made one."""
        is_plain = self.target.has_tensors and x.rank == NUMBER
        return self.say("tensor", x, rank=0) if is_plain else x

    def shape(self, sizes: Sequence[Code]) -> Pieces:
        """The sizes of an array as its constructor takes them."""
        pieces = commas(sizes)
        if self.target.has_columns:
            return [*pieces, ", 1"] if len(sizes) == 1 else pieces
        if self.known("shape"):
            return pieces
        return pieces if len(sizes) == 1 else ["(", *pieces, ")"]

    def filled(self, word: str, sizes: Sequence[Code], *args: Code) -> Code:
        """An array with equal entries: `ones`, `zeros` or `full`."""
        return self.say(word, *args, rank=len(sizes), lists=[self.shape(sizes)])

    def reduced(self, function: str, x: Code, axis: int) -> Code:
        """A reduction of one axis (from 0) of an array, which has one axis less then."""
        if x.rank == 1:
            return self.whole(function, x)
        found = self.target.along.get(function)
        if found is None:
            raise lacking(function, self.target)
        first, second, last = self.target.squeezed
        squeezed = (first, second)[axis] if x.rank == 2 else last
        template = re.sub(r"\{0(:\w)?\}", lambda _: found, squeezed)
        number = axis + self.target.base
        return self.codes.call(template.replace("%d", str(number)), x, rank=x.rank - 1)

    def whole(self, function: str, x: Code) -> Code:
        """A reduction of a whole array to a number."""
        special = f"{function}@{x.rank}"
        word = special if self.known(special) else function
        return self.say(word, self.tensor(x), rank=0)

    # ── operators ────────────────────────────────────────────────────────────────────────────

    def dot(self, left: Code, right: Code, *, sign: str) -> str:
        """What stands before an operator: dots where a language wants them."""
        both, one = self.target.dots
        if left.rank > 0 and right.rank > 0:
            return "" if sign in "+-" else one if sign == "<" else both
        has_array = max(left.rank, right.rank) > 0
        if sign in "+-<":
            return one if has_array else ""
        return both if (sign == "/" and right.rank > 0) or (sign == "^" and has_array) else ""

    def times(self, left: Code, right: Code, sign: str = "*") -> Code:
        """A product or quotient of two, entry by entry."""
        shown = f" {self.dot(left, right, sign=sign)}{sign} "
        return self.codes.make([(left, PRODUCT), shown, (right, NEGATION)], PRODUCT)

    def plus(self, left: Code, right: Code, sign: str = "+") -> Code:
        """A sum or difference of two."""
        shown = f" {self.dot(left, right, sign=sign)}{sign} "
        return self.codes.make([(left, SUM), shown, (right, PRODUCT)], SUM)

    def negative(self, x: Code) -> Code:
        """The negative."""
        return self.codes.make(["-", (x, PRODUCT)], SUM)

    def power(self, base: Code, exponent: Code) -> Code:
        """A power, entry by entry."""
        shown = f" {self.dot(base, exponent, sign='^')}{self.target.words['power']} "
        return self.codes.make([(base, ATOM), shown, (exponent, ATOM)], POSTFIX)

    def compare(self, function: str, left: Code, right: Code) -> Code:
        """A comparison as a truth value."""
        sign = self.target.compares[function]
        shown = f" {self.dot(left, right, sign='<')}{sign} "
        return self.codes.make([(left, SUM), shown, (right, SUM)], COMPARE)

    def is_true(self, x: Code) -> Code:
        """A number as a truth value."""
        is_array = x.rank > 0 and self.known("is_true@")
        return self.say("is_true@" if is_array else "is_true", x)

    def where(self, condition: Code, x: Code, y: Code) -> Code:
        """The entries of one of two, by a truth value."""
        return self.apply("where", condition, x, y)


def turn_of(target: Target) -> str:
    """What stands behind a matrix that is transposed; nothing where the transpose is a call."""
    before, _, after = target.words["transpose"].partition("}")
    return after if before == "{0:A" else ""


def lacking(function: str, target: Target) -> DomainError:
    """That a language cannot say a function."""
    return DomainError(
        f"{function} cannot be written in {target.title}",
        None,
        "another language may have it, as `numpy` has",
    )
