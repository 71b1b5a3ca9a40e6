"""URL patterns of the REST API, below `/api/v1/`."""

from django.urls import path, re_path

from visibility.web.api import (
    alert_actions,
    alerts,
    kpis,
    master_data_files,
    master_rows_and_unmapped_terms,
    matching,
    order_and_message_lineage,
    order_export,
    orders,
    rules,
    schema_and_docs,
    sources_and_messages,
)

urlpatterns = [
    path("orders", orders.OrderListView.as_view()),
    path("orders/export", order_export.OrderExportView.as_view()),
    path("orders/<int:order_id>", orders.OrderDetailView.as_view()),
    path("orders/<int:order_id>/timeline", orders.OrderTimelineView.as_view()),
    path("orders/<int:order_id>/lineage", order_and_message_lineage.OrderLineageView.as_view()),
    path("orders/<int:order_id>/join", matching.MergeOrderOrAttachRecordView.as_view()),
    path("orders/<int:order_id>/split", matching.SplitOrderView.as_view()),
    path("orders/<int:order_id>/distinct", matching.MarkOrdersDistinctView.as_view()),
    path("matching/decisions", matching.MatchingDecisionListView.as_view()),
    path("matching/unmatched", matching.UnmatchedRecordListView.as_view()),
    path("matching/suggestions", matching.DuplicateSuggestionListView.as_view()),
    path("matching/decisions/<int:decision_id>/undo", matching.UndoDecisionView.as_view()),
    path("alerts", alerts.AlertListView.as_view()),
    path("alerts/bulk", alert_actions.BulkAlertView.as_view()),
    path("alerts/<int:alert_id>", alerts.AlertDetailView.as_view()),
    path("alerts/<int:alert_id>/acknowledge", alert_actions.AcknowledgeAlertView.as_view()),
    path("alerts/<int:alert_id>/assign", alert_actions.AssignAlertView.as_view()),
    path("alerts/<int:alert_id>/snooze", alert_actions.SnoozeAlertView.as_view()),
    path("alerts/<int:alert_id>/resolve", alert_actions.ResolveAlertView.as_view()),
    path("alerts/<int:alert_id>/note", alert_actions.AddAlertNoteView.as_view()),
    path("rules", rules.RuleListView.as_view()),
    path("rules/<slug:code>", rules.RuleView.as_view()),
    path("kpis", kpis.KpiDefinitionListView.as_view()),
    path("kpis/<slug:code>", kpis.KpiValueView.as_view()),
    path("kpis/<slug:code>/orders", kpis.KpiOrderListView.as_view()),
    path("sources", sources_and_messages.SourceListView.as_view()),
    path("sources/<slug:slug>/health", sources_and_messages.SourceHealthView.as_view()),
    path("messages", sources_and_messages.MessageListView.as_view()),
    path(
        "messages/<int:message_id>/lineage", order_and_message_lineage.MessageLineageView.as_view()
    ),
    path("messages/<int:message_id>/replay", sources_and_messages.ReplayMessageView.as_view()),
    path("master", master_rows_and_unmapped_terms.MasterTableListView.as_view()),
    path("master/unmapped", master_rows_and_unmapped_terms.UnmappedTermListView.as_view()),
    path("master/imports/<int:import_id>", master_data_files.MasterImportView.as_view()),
    path(
        "master/imports/<int:import_id>/apply",
        master_data_files.ConfirmValidatedImportView.as_view(),
    ),
    path("master/imports/<int:import_id>/discard", master_data_files.DiscardImportView.as_view()),
    path("master/<slug:table>", master_rows_and_unmapped_terms.MasterRowListView.as_view()),
    path("master/<slug:table>/import", master_data_files.UploadImportView.as_view()),
    path("master/<slug:table>/export", master_data_files.MasterExportView.as_view()),
    path(
        "master/<slug:table>/<int:row_id>", master_rows_and_unmapped_terms.MasterRowView.as_view()
    ),
    path("schema", schema_and_docs.OpenApiView.as_view()),
    path("docs", schema_and_docs.ApiDocsView.as_view(), name="api_docs"),
    path("event-schemas", schema_and_docs.EventSchemaListView.as_view()),
    path("event-schemas/<str:kind>/<str:version>", schema_and_docs.EventSchemaView.as_view()),
    path("events", schema_and_docs.events_method_not_allowed),
    re_path("", schema_and_docs.not_found),
]
