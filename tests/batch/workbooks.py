"""Workbooks for tests, as libraries of three formats write them, or as nobody should."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import xlwt
from attrs import field, frozen
from odf.opendocument import OpenDocumentSpreadsheet
from odf.style import Style, TableProperties
from odf.table import CoveredTableCell, Table, TableCell, TableRow
from odf.text import P

SUFFIXES = (".xlsx", ".xls", ".ods")


@frozen
class Sheet:
    """One sheet.

    Attributes:
        rows: The values of the cells, row by row; ``None`` is blank.
        name: Its name.
        visible: Whether it is to be seen.
        hidden: The rows that are hidden, from 0.
        wide: How many cells are merged into each from the left on, in the rows where any are.
    """

    rows: Sequence[Sequence[Any]]
    name: str = "Sheet"
    visible: bool = True
    hidden: frozenset[int] = frozenset()
    wide: Mapping[int, Sequence[int]] = field(factory=dict)

    def merged(self, row: int) -> dict[int, int]:
        """The columns where cells of the row are merged, and over how many columns."""
        widths = self.wide.get(row, ())
        return {sum(widths[:n]): width for n, width in enumerate(widths) if width > 1}


def write(path: Path, *sheets: Sheet) -> Path:
    """Write a workbook, of the format that its name says."""
    {".xlsx": _write_xlsx, ".xls": _write_xls, ".ods": _write_ods}[path.suffix](path, sheets)
    return path


def _write_xlsx(path: Path, sheets: Sequence[Sheet]) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for sheet in sheets:
        written = workbook.create_sheet(sheet.name)
        written.sheet_state = "visible" if sheet.visible else "hidden"
        for row, values in enumerate(sheet.rows, 1):
            for column, value in enumerate(values, 1):
                written.cell(row, column, value)
        for row in sheet.hidden:
            written.row_dimensions[row + 1].hidden = True
        for row in sheet.wide:
            for left, width in sheet.merged(row).items():
                written.merge_cells(
                    start_row=row + 1,
                    end_row=row + 1,
                    start_column=left + 1,
                    end_column=left + width,
                )
    workbook.save(path)


_XLS_STYLES = {
    datetime: xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS"),
    date: xlwt.easyxf(num_format_str="YYYY-MM-DD"),
    time: xlwt.easyxf(num_format_str="HH:MM:SS"),
    timedelta: xlwt.easyxf(num_format_str="[HH]:MM:SS"),
}


def _write_xls(path: Path, sheets: Sequence[Sheet]) -> None:
    workbook = xlwt.Workbook()
    for sheet in sheets:
        written = workbook.add_sheet(sheet.name)
        written.visibility = 0 if sheet.visible else 1
        for row, values in enumerate(sheet.rows):
            for column, value in enumerate(values):
                if width := sheet.merged(row).get(column):
                    written.write_merge(row, row, column, column + width - 1, value)
                elif value is not None:
                    style = _XLS_STYLES.get(type(value), xlwt.Style.default_style)
                    if isinstance(value, timedelta):
                        value = value / timedelta(days=1)
                    written.write(row, column, value, style)
            written.row(row).hidden = row in sheet.hidden
    workbook.save(path)


def _write_ods(path: Path, sheets: Sequence[Sheet]) -> None:
    document = OpenDocumentSpreadsheet()
    hidden = Style(name="hidden", family="table")
    hidden.addElement(TableProperties(display="false"))
    document.automaticstyles.addElement(hidden)
    for sheet in sheets:
        written = Table(name=sheet.name, **({} if sheet.visible else {"stylename": hidden}))
        for number, values in enumerate(sheet.rows):
            row = TableRow(visibility="collapse" if number in sheet.hidden else "visible")
            for column, value in enumerate(values):
                merged = sheet.merged(number)
                if width := merged.get(column):
                    cell = _ods_cell(value, numbercolumnsspanned=width)
                elif any(left < column < left + width for left, width in merged.items()):
                    cell = CoveredTableCell()
                else:
                    cell = _ods_cell(value)
                row.addElement(cell)
            written.addElement(row)
        document.spreadsheet.addElement(written)
    document.save(str(path))


def _ods_cell(value: Any, **options: Any) -> TableCell:
    if value is None:
        return TableCell()
    match value:
        case bool():
            options |= {"valuetype": "boolean", "booleanvalue": str(value).lower()}
        case int() | float():
            options |= {"valuetype": "float", "value": str(value)}
        case date():
            options |= {"valuetype": "date", "datevalue": value.isoformat()}
        case time():
            options |= {"valuetype": "time", "timevalue": value.strftime("PT%HH%MM%SS")}
        case _:
            options |= {"valuetype": "string"}
    cell = TableCell(**options)
    cell.addElement(P(text=str(value)))
    return cell


def rewrite(path: Path, member: str, change: Callable[[bytes], bytes]) -> Path:
    """Change one member of a workbook that is a ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == member else content)
    path.write_bytes(buffer.getvalue())
    return path


def write_cells(path: Path, rows: str) -> Path:
    """Write an .xlsx whose only sheet has these rows, in the XML of the format."""
    write(path, Sheet([["number"]]))
    sheet = "xl/worksheets/sheet1.xml"

    def change(xml: bytes) -> bytes:
        start, end = xml.index(b"<sheetData>"), xml.index(b"</sheetData>")
        return xml[:start] + b"<sheetData>" + rows.encode() + xml[end:]

    return rewrite(path, sheet, change)


def text_cell(reference: str, text: str) -> str:
    """One cell with a text, in the XML of .xlsx."""
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'
