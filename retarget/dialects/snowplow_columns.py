"""The columns of Snowplow's enriched stream, tab-separated and without a header."""

from __future__ import annotations

from typing import Any, Final

from retarget.decode import parse_object
from retarget.errors import Rejected

COLUMNS: Final = """
app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id name_tracker v_tracker
v_collector v_etl user_id user_ipaddress user_fingerprint domain_userid domain_sessionidx network_userid
geo_country geo_region geo_city geo_zipcode geo_latitude geo_longitude geo_region_name ip_isp ip_organization
ip_domain ip_netspeed page_url page_title page_referrer page_urlscheme page_urlhost page_urlport page_urlpath
page_urlquery page_urlfragment refr_urlscheme refr_urlhost refr_urlport refr_urlpath refr_urlquery
refr_urlfragment refr_medium refr_source refr_term mkt_medium mkt_source mkt_term mkt_content mkt_campaign
contexts se_category se_action se_label se_property se_value unstruct_event tr_orderid tr_affiliation tr_total
tr_tax tr_shipping tr_city tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price ti_quantity
pp_xoffset_min pp_xoffset_max pp_yoffset_min pp_yoffset_max useragent br_name br_family br_version br_type
br_renderengine br_lang br_features_pdf br_features_flash br_features_java br_features_director
br_features_quicktime br_features_realplayer br_features_windowsmedia br_features_gears
br_features_silverlight br_cookies br_colordepth br_viewwidth br_viewheight os_name
os_family os_manufacturer os_timezone dvce_type
dvce_ismobile dvce_screenwidth dvce_screenheight doc_charset doc_width doc_height tr_currency tr_total_base
tr_tax_base tr_shipping_base ti_currency ti_price_base base_currency geo_timezone mkt_clickid mkt_network
etl_tags dvce_sent_tstamp refr_domain_userid refr_dvce_tstamp derived_contexts domain_sessionid derived_tstamp
event_vendor event_name event_format event_version event_fingerprint true_tstamp
""".split()  # noqa: SIM905 - a hundred quotes would hide the names


def record_of(value: bytes) -> dict[str, Any]:
    """The event as the analytics SDKs write it as JSON, entities by their schema. Raises Rejected."""
    try:
        cells = value.decode().rstrip("\r\n").split("\t")
    except UnicodeDecodeError:
        raise Rejected("not_json", "the record is neither JSON nor tab-separated text in UTF-8") from None
    if len(cells) != len(COLUMNS):
        said = f"the event has {len(cells)} columns; an enriched event has {len(COLUMNS)}"
        raise Rejected("not_json", said)
    record: dict[str, Any] = {name: cell for name, cell in zip(COLUMNS, cells, strict=True) if cell}
    for column in ("contexts", "derived_contexts"):
        for entity in _list(record.pop(column, None)):
            record.setdefault(f"contexts_{_name(entity)}", []).append(entity.get("data"))
    happened = record.pop("unstruct_event", None)
    if happened is not None:
        inner = parse_object(happened.encode()).get("data")
        if isinstance(inner, dict):
            record[f"unstruct_event_{_name(inner)}"] = inner.get("data")
    return record


def _list(cell: str | None) -> list[dict[str, Any]]:
    given = parse_object(cell.encode()).get("data") if cell else None
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _name(described: dict[str, Any]) -> str:
    """`iglu:com.acme/cart/jsonschema/1-0-0` is `com_acme_cart_1`."""
    vendor, _, rest = str(described.get("schema", "")).removeprefix("iglu:").partition("/")
    name, _, version = rest.partition("/jsonschema/")
    return f"{vendor}_{name}_{version.partition('-')[0]}".replace(".", "_").replace("-", "_")
