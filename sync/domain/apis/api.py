"""The declaration of an API of images: its address, query, paging and fields, declared in one module per API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sync.domain.fields import COLUMNS, Field, Parameter
from sync.domain.proof.page import PageRequest

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the lists that together hold all images, where the API hides some from its usual list.

    Attributes:
        name: its name, in evidence.
        query: the parameters that select it.
    """

    name: str
    query: Query = ()


@dataclass(frozen=True, kw_only=True)
class Api:
    """One API of images.

    Attributes:
        name: its name in the settings and in ``sources.api``.
        title: its human-readable name.
        fields: the response fields that its document names.
        parameters: the query parameters of its list.
        path: path of its list.
        limit: images to request per page.
        order: the parameters of the ascending order, in which the list is read.
        descending: the parameters of the same order, reversed.
        by_marker: whether a page begins after an image, and not at an offset; such a list is sorted by id.
        counted: whether an answer says how many images match (``total``).
        parts: the lists to read one after another; the parameters of each are left out if the filter has them.
        image_path: address of one image, with ``{id}``; "" where it is asked for in the list, by ``id``.
        own_header: a header of all its own answers about one image, which a 404 of something in between does not have.
        lookups: what else to ask for with an ``id``, in turn, until the image is found; it is absent if it never is.
        widest: parameters that say how far the credentials reach, each with the value that lets them reach furthest;
            sent in place of the filter where all images are looked at, as far as a look-up by id reaches.
        widest_if_named: the same, but sent only if the filter names the parameter, as not all credentials may send it.
        never_stored: fields that may hold credentials.
        user_defined_fields: whether users may add fields to an image.
        permissions: what the credentials must be permitted.
        service_types: types of the service in the identity service's catalog; () if it has no entry.
        project_scoped: whether tokens are for one project, which owns images.
        admins_see_all: whether a token with the role ``admin`` sees the images of all projects.
        signed: whether requests may be signed with an access key, instead of carrying a token.
        hints: what to do, by a word in the text of an error.
        errors_as_pages: whether its own errors are web pages, which elsewhere come from something in between.
        temporary: errors that pass, as (HTTP status, code), although their status says otherwise.
    """

    name: str
    title: str
    fields: tuple[Field, ...] = field(repr=False)
    parameters: tuple[Parameter, ...] = field(repr=False)
    path: str
    limit: int
    order: Query
    descending: Query
    by_marker: bool = True
    counted: bool = False
    parts: tuple[Part, ...] = (Part(""),)
    image_path: str = ""
    own_header: str = ""
    lookups: tuple[Query, ...] = ((),)
    widest: Query = ()
    widest_if_named: Query = ()
    never_stored: frozenset[str] = frozenset()
    user_defined_fields: bool = False
    permissions: tuple[str, ...] = ()
    service_types: tuple[str, ...] = ()
    project_scoped: bool = False
    admins_see_all: bool = False
    signed: bool = False
    hints: Query = ()
    temporary: frozenset[tuple[int, str]] = frozenset()
    errors_as_pages: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The fields, by each name that they have in the API's JSON."""
        aliases = {field.alias: field for field in self.fields if field.alias}
        return aliases | {field.api: field for field in self.fields}

    def spellings(self, names: Collection[str]) -> frozenset[str]:
        """These names of fields, and the other name of each that has two."""
        alike = [{field.api, field.alias} for field in self.fields if field.alias]
        return frozenset(names).union(*(both for both in alike if not both.isdisjoint(names)))

    @cached_property
    def stored(self) -> tuple[tuple[int, Field], ...]:
        """The fields that have a column, in the order of the document, each with the place of its column."""
        return tuple((COLUMNS.index(field.column), field) for field in self.fields if field.column)

    @cached_property
    def filters(self) -> Mapping[str, tuple[str, ...]]:
        """The parameters that select images, each with the values it takes, or () for any."""
        return {parameter.name: parameter.choices for parameter in self.parameters if parameter.filter}

    @cached_property
    def hidden_parts(self) -> frozenset[str]:
        """The names of the part-lists of hidden images."""
        return frozenset(part.name for part in self.parts if part.query)

    def parts_of(self, filter: Mapping[str, str]) -> tuple[Part, ...]:
        """The part-lists to read; only the one that the filter selects, if it names a parameter of theirs."""
        named = any(name in filter for part in self.parts for name, _ in part.query)
        return (Part(""),) if named else self.parts

    def page_query(self, filter: Mapping[str, str], request: PageRequest) -> dict[str, str]:
        """The query of a page."""
        part = next((part.query for part in self.parts if part.name == request.part), ())
        order = self.descending if request.descending else self.order
        start = {"marker": request.marker} if request.marker is not None else {}
        start |= {} if self.by_marker else {"offset": str(request.offset)}
        return {**filter, **dict(part), **dict(order), "limit": str(self.limit), **start}

    def lookup_queries(self, filter: Mapping[str, str], image_id: str) -> list[dict[str, str]]:
        """The queries that show an image wherever it is, asked in turn; without the filter."""
        if self.image_path:
            return [{}]
        return [self.unfiltered(filter) | {"id": image_id} | dict(more) for more in self.lookups]

    def narrowed(self, filter: Mapping[str, str]) -> bool:
        """Whether a filter says how far the credentials reach: then there may be images that they do not see."""
        return any(name in filter for name, _ in self.widest_if_named)

    def unfiltered(self, filter: Mapping[str, str]) -> dict[str, str]:
        """Return the query that replaces a filter in order to read all images that the credentials reach."""
        return dict(self.widest) | {name: value for name, value in self.widest_if_named if name in filter}
