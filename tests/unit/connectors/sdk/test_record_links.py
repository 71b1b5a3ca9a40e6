"""URL templates of records in a source: what is accepted, and the URL of one number."""

import pytest

from connectors.sdk.record_links import check_record_link, record_link, record_link_templates

ERP = "https://erp.example.com/orders/{number}"


@pytest.mark.parametrize(
    "template",
    [
        ERP,
        "http://10.0.0.7:8080/so?no={number}&company=US#top",
        "https://admin.example.com/store/orders/{source_id}",
        "https://erp.example.com/#/SalesOrder?$filter=Number%20eq%20'{number}'",
    ],
)
def test_http_urls_with_placeholders_after_the_host_are_accepted(template: str) -> None:
    check_record_link(template)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("javascript:alert({number})", "is not an http or https URL"),
        ("ftp://erp.example.com/{number}", "is not an http or https URL"),
        ("//erp.example.com/{number}", "is not an http or https URL"),
        ("erp/{number}", "is not an http or https URL"),
        ("https://{number}.example.com/", "not in the host"),
        ("https://erp.example.com{number}/", "not in the host"),
        ("https://erp.example.com:{number}/", "not in the host"),
        ("https://user:word@erp.example.com/{number}", "user name or a password"),
        ("https://erp.example.com/orders", "where the number belongs"),
        ("https://erp.example.com/{order}", "{order} is not a placeholder"),
        ("https://erp.example.com/{}", "Write placeholders as {number}"),
        ("https://erp.example.com/{{number}}", "Write placeholders as {number}"),
        ("https://erp.example.com/{number", "Write placeholders as {number}"),
        ("https://erp.example.com/a b/{number}", "Percent-encode"),
        ("https://erp.example.com/\n{number}", "Percent-encode"),
        ("https://erp.example.com\\@evil.example/{number}", "Percent-encode"),
        ('https://erp.example.com/"{number}', "Percent-encode"),
    ],
)
def test_other_templates_are_refused_with_a_sentence(template: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_record_link(template)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        ("SO-1", "SO-1"),
        ("4711/2", "4711%2F2"),
        ("#4711 ?a=b&c", "%234711%20%3Fa%3Db%26c"),
        ("Größe<", "Gr%C3%B6%C3%9Fe%3C"),
        ("{number}", "%7Bnumber%7D"),
    ],
)
def test_numbers_are_percent_encoded(number: str, encoded: str) -> None:
    assert record_link(ERP, number, {}) == f"https://erp.example.com/orders/{encoded}"


@pytest.mark.parametrize("number", ["", "..", ".", " . "])
def test_a_number_that_names_no_record_has_no_link(number: str) -> None:
    assert record_link(ERP, number, {}) == ""


def test_other_numbers_of_the_record_are_filled_in_or_there_is_no_link() -> None:
    template = "https://shop.example.com/admin/{source_id}?name={number}"
    numbers = {"source_id": "8209/11", "web_order": "#1"}
    expected = "https://shop.example.com/admin/8209%2F11?name=%231"
    assert record_link(template, "#1", numbers) == expected
    assert record_link(template, "#1", {"web_order": "#1"}) == ""


def test_stored_templates_that_are_not_valid_are_left_out() -> None:
    config = {
        "record_link.order": ERP,
        "record_link.invoice": "javascript:alert(1)",
        "record_link.customer": ERP,
        "record_link.shipment": 5,
        "zone": "UTC",
    }
    assert record_link_templates(config) == {"order": ERP}
