"""The endpoints: viewsets over the organizations of which the caller is in the team."""
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import include, path
from rest_framework import filters, mixins, pagination, serializers, status, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from .models import Customer, Member, Organization, TeamMember


class Pages(pagination.PageNumberPagination):
    page_size_query_param = "limit"
    max_page_size = 100
    page_size = 10


def serializer_of(of, *fields):
    common = ("id", "created_at", "modified_at")
    meta = type("Meta", (), {"model": of, "fields": common + fields})
    return type(f"{of.__name__}Serializer", (serializers.ModelSerializer,), {"Meta": meta})


class Organizations(mixins.RetrieveModelMixin, mixins.UpdateModelMixin, viewsets.GenericViewSet):
    serializer_class = serializer_of(Organization, "name", "slug")

    def get_queryset(self):
        return Organization.objects.filter(teammember__user=self.request.user)

    @action(detail=True, methods=["post"])
    def members(self, request, pk):
        """Adds a person, who is made where they do not exist, to the team."""
        with transaction.atomic():
            organization = get_object_or_404(self.get_queryset().select_for_update(), pk=pk)
            email = serializers.EmailField().run_validation(request.data.get("email"))
            user, _ = User.objects.get_or_create(username=email, defaults={"email": email})
            member, _ = TeamMember.objects.get_or_create(
                organization=organization, user=user, defaults={"role": "Developer"}
            )
        body = {"id": member.id, "email": email, "role": member.role, "created_at": member.created_at}
        return Response(body, status=status.HTTP_201_CREATED)


class Customers(mixins.ListModelMixin, viewsets.GenericViewSet):
    serializer_class = serializer_of(Customer, "email", "name")
    pagination_class = Pages
    filter_backends = [filters.SearchFilter]
    search_fields = ["email", "name"]

    def get_queryset(self):
        customers = Customer.objects.filter(organization__teammember__user=self.request.user)
        return customers.order_by("-created_at", "id")


class Members(
    mixins.CreateModelMixin, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet
):
    serializer_class = serializer_of(Member, "customer", "email", "name", "external_id", "role")
    pagination_class = Pages

    def get_queryset(self):
        members = Member.objects.filter(customer__organization__teammember__user=self.request.user)
        if customer := self.request.query_params.get("customer"):
            members = members.filter(customer=customer)
        return members.order_by("-created_at", "id")

    @action(detail=False, url_path="external/(?P<external_id>[^/]+)")
    def external(self, request, external_id):
        member = get_object_or_404(self.get_queryset(), external_id=external_id)
        return Response(self.get_serializer(member).data)


@api_view()
def ping(_request):
    return Response({"message": "pong"})


routes = SimpleRouter()
routes.register("organizations", Organizations, "organization")
routes.register("customers", Customers, "customer")
routes.register("members", Members, "member")
urlpatterns = [path("ping/", ping), path("", include(routes.urls))]
